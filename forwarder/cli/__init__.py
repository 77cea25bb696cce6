"""The command `forwarder`."""

import sys
from collections.abc import Sequence

import click

from ..errors import BadCommand, BadSetting, ForwarderError
from . import exits
from .arguments import understood
from .group import forwarder


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command and end the process: 0 all went well, 2 a wrong command line or setting, else as exits.py says.

    What is wrong is said in one line on stderr.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        code = forwarder.main(understood(given), prog_name="forwarder", standalone_mode=False)
    except click.ClickException as error:
        click.echo(f"forwarder: {_one_line(error, given)}", err=True)
        sys.exit(error.exit_code)
    except ForwarderError as error:
        click.echo(f"forwarder: {error}", err=True)
        sys.exit(exits.WRONG if isinstance(error, (BadSetting, BadCommand)) else exits.FAILED)
    except click.exceptions.Abort:
        sys.exit(exits.ABORTED)
    sys.exit(code if isinstance(code, int) else 0)


def blockserver_to_kafka(arguments: Sequence[str] | None = None) -> None:
    """As `forwarder blocks` with these arguments, under the name that a site starts it by."""
    main(["blocks", *(sys.argv[1:] if arguments is None else arguments)])


def _one_line(error: click.ClickException, given: list[str]) -> str:
    if isinstance(error, click.NoSuchOption):
        nearest = f'; did you mean "{error.possibilities[0]}"?' if error.possibilities else ""
        return f"unknown flag {error.option_name}{nearest}"
    if any("password" in argument or argument == "-S" for argument in given) and "unexpected" in error.message:
        # The argument nobody expected may be the second half of a password with a space in it.
        return "the command line has an argument too many, after one with a password"
    text = " ".join(error.format_message().split())
    return text[:1].lower() + text[1:]
