"""The references of the command line and of the settings as Markdown, from the commands and the table themselves."""

import re
from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Any

import click

from ..settings.blocks.table import TABLE as BLOCKS
from ..settings.setting import Kind, Setting, Table
from ..settings.table import TABLE
from . import exits
from .group import examples_of, forwarder
from .options import ADDRESS_HELP, SettingsCommand

_HEAD = """\
# The command line

Written by `make reference`; do not edit. A short way in is the [README](../../README.md).

| exit code | of the commands beside `run` and `demo` |
|---|---|
{exits}

`run` has codes of its own, which the README lists. What is wrong is one line on stderr. Answers go to stdout; what is
waited for and how it ended goes to stderr. On a terminal both are drawn and in colour, anywhere else plain;
`--color always` and `--color never` say otherwise, and `NO_COLOR` is respected.
"""

_SETTINGS = """\
# Settings

Written by `make reference`; do not edit. What they do together is in the [README](../../README.md#run).

Each is a flag, an environment variable and a line of a file (`-c FILE`). A flag counts before a variable, that before
the file, the profile, and the default. Every variable is also read as `FORWARDER_` and its name, which counts before
it. {address}
"""


_BLOCKS = """\
# Settings of `forwarder blocks`

Written by `make reference`; do not edit. What they do together:
[tell a forwarder an instrument's blocks](../how-to/blocks.md).

Each is a flag, an environment variable and a line of a file, as [those of the forwarder](settings.md) are. {address}
"""


def reference() -> str:
    """The page of the commands."""
    codes = "\n".join(f"| {code} | {_cell(meaning)} |" for code, meaning in exits.MEANING.items())
    return "\n".join([_HEAD.format(exits=codes), *_commands(forwarder, ())])


def settings_reference() -> str:
    """The page of the settings."""
    return "\n".join([_SETTINGS.format(address=_flags_as_code(ADDRESS_HELP)), *_settings_tables(TABLE)])


def blocks_reference() -> str:
    """The page of the settings of the process beside an instrument."""
    return "\n".join([_BLOCKS.format(address=_flags_as_code(ADDRESS_HELP)), *_settings_tables(BLOCKS)])


def _commands(group: click.Group, path: tuple[str, ...]) -> Iterator[str]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None, "a group has what it lists"
        here = (*path, name)
        yield _section(command, here)
        if isinstance(command, click.Group):
            yield from _commands(command, here)


def _section(command: click.Command, path: tuple[str, ...]) -> str:
    name = " ".join(("forwarder", *path))
    context = click.Context(command)
    arguments = [each.make_metavar(context) for each in command.params if isinstance(each, click.Argument)]
    usage = " ".join([name, *(["COMMAND"] if isinstance(command, click.Group) else []), "[OPTIONS]", *arguments])
    lines = [f"{'#' * (len(path) + 1)} {name}", "", f"`{usage}`", "", *_paragraphs(command.help or ""), ""]
    own = command.own if isinstance(command, SettingsCommand) else command.params
    options = [each for each in own if isinstance(each, click.Option) and each.help]
    if options:
        lines += ["| option | |", "|---|---|", *(_row(command, each) for each in options), ""]
    if path == ("run",):
        lines += ["All [settings](settings.md) but those of the topics of an instrument mean something to it.", ""]
    if path == ("blocks",):
        lines += ["It has [settings of its own](blocks.md).", ""]
    if isinstance(command, SettingsCommand):
        names = ", ".join(f"`--{setting.name}`" for setting in command.settings)
        lines += [f"[Settings](settings.md): {names}.", ""]
    if examples := examples_of(command):
        lines += ["```console", *(f"$ {line}" for line in examples.splitlines()), "```", ""]
    return "\n".join(lines)


def _paragraphs(text: str) -> list[str]:
    """A docstring as Markdown: paragraphs, and text that click was told to leave as it is."""
    found: list[str] = []
    for paragraph in re.split(r"\n\s*\n", text.strip()):
        lines = [line.strip() for line in paragraph.splitlines()]
        as_it_is = lines[0] == "\b"
        found += ["```text", *lines[1:], "```", ""] if as_it_is else [_flags_as_code(" ".join(lines)), ""]
    return found[:-1]


def _row(command: click.Command, option: click.Option) -> str:
    record = option.get_help_record(click.Context(command))
    assert record is not None, "it has a help"
    flag = f"`{record[0]}`"
    return f"| {_cell(flag)} | {_cell(record[1])} |"


def _cell(text: str) -> str:
    return _flags_as_code(text.replace("|", "\\|"))


def _flags_as_code(text: str) -> str:
    """Else two hyphens are printed as a dash, which no command line takes."""
    parts = text.split("`")
    parts[::2] = [re.sub(r"(?<![\w-])--[a-z][a-z-]*[a-z]", r"`\g<0>`", part) for part in parts[::2]]
    return "`".join(parts)


def _settings_tables(table: Table) -> Iterator[str]:
    for group, settings in groupby(table.settings, key=lambda setting: setting.group):
        yield "\n".join([f"## {group}", "", "| setting | | allowed | default | variables |", "|---|---|---|---|---|"])
        yield "\n".join([*_rows(settings), ""])


def _rows(settings: Iterable[Setting[Any]]) -> Iterator[str]:
    for setting in settings:
        short = f"-{setting.short}, " if setting.short else ""
        metavar = "" if setting.kind is Kind.SWITCH else f" {setting.metavar}"
        allowed = "an ADDRESS" if setting.metavar == "ADDRESS" else setting.allowed
        variables = ", ".join(f"`{name}`" for name in setting.variables[1:] or setting.variables)
        default = f"`{setting.default}`" if setting.default else ""
        cells = (f"`{short}--{setting.name}{metavar}`", setting.help, allowed, default, variables)
        yield f"| {' | '.join(map(_cell, cells))} |"
