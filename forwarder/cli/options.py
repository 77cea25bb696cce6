"""Flags from the table of settings, and commands that have them."""

import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby
from typing import Any, TypeAlias

import click
from click.shell_completion import CompletionItem

from ..settings import table as t
from ..settings.names import MEANINGLESS
from ..settings.parse import Choice, yes_or_no
from ..settings.table import Kind, Setting
from .group import format_examples

CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 110}

_OF_ALL = (t.CONFIG_FILE, t.PROFILE)
_SECURITY = (t.SASL_PASSWORD, t.PASSWORD_FILES[t.SASL_PASSWORD.name], *t.SECURITY)


def connection(*addresses: Setting[Any]) -> tuple[Setting[Any], ...]:
    """What a command needs to find the clusters of these addresses and to be let in, with their own passwords."""
    passwords = [one for one in t.PASSWORDS if one.name.removesuffix("-sasl-password") in {a.name for a in addresses}]
    files = (t.PASSWORD_FILES[one.name] for one in passwords)
    return (*_OF_ALL, *addresses, t.KAFKA_CONFIG, *_SECURITY, *passwords, *files)


OF_A_FORWARDER = connection(
    t.SERVICE_ID,
    t.CONFIG_TOPIC,
    t.STATUS_TOPIC,
    t.STORAGE_TOPIC,
    t.OUTPUT_BROKER,
    t.ALLOWED_OUTPUT,
    t.CREATE_TOPICS,
)
"""What a command needs to know of a forwarder that runs, or is to: all its clusters and topics."""

ADDRESS_HELP = (
    r"ADDRESS is [PROTOCOL+MECHANISM\user@]host[:port][,host[:port]][/topic], or //host[:port][/topic]; for a "
    "topic also its name alone, which is in the cluster of --output-broker. The port is 9092 if not given."
)
Completion: TypeAlias = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]

_FILES = {"FILE": "file", "DIRECTORY": "dir"}


def flags(settings: Iterable[Setting[Any]]) -> Iterator[click.Option]:
    """An option for each name of each setting. The values are left to the settings."""
    for setting in settings:
        for name in (setting.name, *setting.aliases):
            declared = [f"--{name}", parameter(name)]
            if setting.short and name == setting.name:
                declared.append(f"-{setting.short}")
            if setting.kind is Kind.SWITCH:
                yield click.Option(declared, is_flag=True, default=False)
            else:
                nargs = 2 if setting.kind is Kind.PAIRS else 1
                yield click.Option(declared, multiple=True, nargs=nargs, type=str, shell_complete=_completion(setting))


def meaningless_flags() -> Iterator[click.Option]:
    """Those of earlier forwarders that only lead to a warning."""
    for name in MEANINGLESS:
        yield click.Option([f"--{name}", parameter(name)], multiple=True, type=str)


def parameter(name: str) -> str:
    """The name of a flag in Python."""
    return name.replace("-", "_")


def command_line(given: dict[str, Any]) -> dict[str, list[str]]:
    """What was given, as the settings want it: texts by the flag's name."""
    found: dict[str, list[str]] = {}
    for name, value in given.items():
        if value is True:
            found[name.replace("_", "-")] = ["yes"]
        elif value:
            pairs = isinstance(value[0], tuple)
            found[name.replace("_", "-")] = [text for pair in value for text in pair] if pairs else list(value)
    return found


def format_flags(formatter: click.HelpFormatter, settings: Iterable[Setting[Any]], *, brief: bool = False) -> None:
    """Help in the groups of the table, with each setting's variables and default unless it is to be brief."""
    for group, of_group in groupby(settings, key=lambda setting: setting.group):
        with formatter.section(group):
            formatter.write_dl([_help(setting, brief) for setting in of_group])


def _help(setting: Setting[Any], brief: bool) -> tuple[str, str]:
    flag = f"-{setting.short}, --{setting.name}" if setting.short else f"--{setting.name}"
    flag = flag if setting.kind is Kind.SWITCH else f"{flag} {setting.metavar}"
    if brief:
        return flag, re.split(r"(?<=[^0-9])\. |; ", setting.help)[0].removesuffix(".") + "."
    # The form of an address is long and the same for all of them: it stands once, below.
    allowed = "" if setting.metavar == "ADDRESS" else f" Allowed: {setting.allowed}."
    default = f" Default: {setting.default}." if setting.default and setting.kind is not Kind.SWITCH else ""
    variables = ", ".join(setting.variables[1:] or setting.variables)
    return flag, f"{setting.help}{allowed}{default} [{variables}]"


def one_of(words: Callable[[], Iterable[str]]) -> Completion:
    """Completes to one of these words; they are asked for only then."""
    return lambda _context, _parameter, incomplete: [
        CompletionItem(word) for word in words() if word.lower().startswith(incomplete.lower())
    ]


def _completion(setting: Setting[Any]) -> Completion | None:
    if words := _words(setting):
        return one_of(lambda: words)
    kind = _FILES.get(setting.metavar)
    if kind is None:
        return None
    return lambda _context, _parameter, incomplete: [CompletionItem(incomplete, type=kind)]


def _words(setting: Setting[Any]) -> tuple[str, ...]:
    """All that may be written, where that is a few words."""
    if isinstance(setting.parse, Choice):
        return setting.parse.allowed
    return ("yes", "no") if setting.parse is yes_or_no else ()


class SettingsCommand(click.Command):
    """A command that takes settings: its own options come first in its help, then examples, then the settings."""

    def __init__(self, *arguments: Any, settings: Sequence[Setting[Any]], examples: str, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self.examples = examples.strip("\n")
        self.settings = settings
        self._own = list(self.params)
        self.params += list(flags(settings))

    @property
    def own(self) -> list[click.Parameter]:
        """What is not a setting."""
        return self._own

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        own = [each for each in (*self._own, self.get_help_option(ctx)) if isinstance(each, click.Option)]
        with formatter.section("Options"):
            formatter.write_dl([record for each in own if (record := each.get_help_record(ctx))])
        format_examples(formatter, self.examples)
        format_flags(formatter, self.settings, brief=True)
        formatter.write_paragraph()
        formatter.write_text(ADDRESS_HELP)
        formatter.write_paragraph()
        formatter.write_text(
            "What is allowed, the defaults, and the variables for each of these settings: forwarder run --help"
        )


INSTRUMENT = click.Option(
    ["--instrument"],
    metavar="INST",
    help="Stands for INST_forwarderConfig in the cluster of --output-broker, where no flag gives a config topic; "
    "without a profile also for INST_forwarderStatus and INST_forwarderStorage, which a profile has for all.",
)
COLOR = click.Option(
    ["--color"],
    type=click.Choice(["auto", "always", "never"]),
    default="auto",
    help="Colours and drawings; auto: on a terminal, unless NO_COLOR is set.",
)


def command(
    name: str, settings: Sequence[Setting[Any]], examples: str, *own: click.Parameter
) -> Callable[[Callable[..., int]], SettingsCommand]:
    """Makes a command of a function, which is called with the settings as read, a terminal, and its own parameters."""
    names = {each.name for each in own}

    def decorate(function: Callable[..., int]) -> SettingsCommand:
        def callback(color: str, **given: Any) -> int:
            import logging

            from ..settings.load import read
            from .terminal import Terminal

            # What libraries log stands in the way of what a command says itself.
            if not logging.root.handlers:
                logging.root.addHandler(logging.NullHandler())
            terminal = Terminal(color)
            line = command_line({key: value for key, value in given.items() if key not in names})
            reading = read(line, os.environ)
            if instrument := given.get(INSTRUMENT.name or ""):
                reading = read({**_topics_of(instrument, of_one=not reading.names_profile), **line}, os.environ)
            for warning in reading.warnings:
                terminal.warn(warning)
            mine = {key: value for key, value in given.items() if key in names and key != INSTRUMENT.name}
            return function(reading, terminal, **mine)

        return SettingsCommand(
            name,
            callback=callback,
            params=[*own, COLOR],
            help=function.__doc__,
            settings=settings,
            examples=examples,
            context_settings=CONTEXT,
        )

    return decorate


def _topics_of(instrument: str, *, of_one: bool) -> dict[str, list[str]]:
    """`of_one`: its forwarder serves no other instrument."""
    names = {t.CONFIG_TOPIC: "forwarderConfig"}
    if of_one:
        names |= {t.STATUS_TOPIC: "forwarderStatus", t.STORAGE_TOPIC: "forwarderStorage"}
    return {setting.name: [f"{instrument}_{name}"] for setting, name in names.items()}
