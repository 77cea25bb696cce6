"""`forwarder completion`."""

import click
from click.shell_completion import get_completion_class

from . import exits

PROGRAM = "forwarder"
VARIABLE = "_FORWARDER_COMPLETE"


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(context: click.Context, shell: str) -> int:
    """Print what lets a shell complete these commands and their flags.

    \b
    bash, in ~/.bashrc:   eval "$(forwarder completion bash)"
    zsh, in ~/.zshrc:     eval "$(forwarder completion zsh)"
    fish:                 forwarder completion fish > ~/.config/fish/completions/forwarder.fish
    """
    kind = get_completion_class(shell)
    assert kind is not None, "click knows the shells of the choice"
    # Not click's own `source`, which would start bash to see its version.
    maker = kind(context.find_root().command, {}, PROGRAM, VARIABLE)
    click.echo(maker.source_template % maker.source_vars())
    return exits.DONE
