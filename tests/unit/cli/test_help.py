"""The help of every command: it comes at once, and has what a user looks for."""

import os
import re
import resource
import subprocess
import sys
from collections.abc import Iterator

import click
import pytest

from forwarder.cli.group import examples_of, forwarder
from forwarder.cli.options import SettingsCommand
from forwarder.settings.table import BY_NAME

HEAVY = {
    "aiokafka", "asyncio", "caproto", "confluent_kafka", "flatbuffers", "forwarder.commands", "forwarder.encode",
    "forwarder.kafka", "forwarder.record", "forwarder.service", "forwarder.tools", "h5py", "numpy", "p4p", "psutil",
    "pygelf", "rich", "ssl", "streaming_data_types", "uvloop",
}  # fmt: skip


def commands(command: click.Command, *path: str) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    yield path, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            assert found is not None
            yield from commands(found, *path, name)


COMMANDS = dict(commands(forwarder))
WITH_SETTINGS = {path: command for path, command in COMMANDS.items() if isinstance(command, SettingsCommand)}


def test_all_commands_are_there() -> None:
    leaves = {" ".join(path) for path, command in COMMANDS.items() if not isinstance(command, click.Group)}
    assert leaves == {
        "run", "blocks", "demo", "streams list", "streams add", "streams remove", "streams replace", "streams clear",
        "topics check", "topics create", "watch", "record", "check", "completion",
    }  # fmt: skip


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_help_comes_at_once_and_imports_nothing_heavy(path: tuple[str, ...]) -> None:
    """By its CPU time, best of some, because other processes may take the machine for a while."""
    assert any(_cpu_seconds_of_help(path) < 0.4 for _ in range(5))
    assert not _imported(*path, "--help") & HEAVY


@pytest.mark.parametrize("arguments", [["--version"], ["run", "--version"]], ids=" ".join)
def test_the_version_imports_nothing_heavy(arguments: list[str]) -> None:
    assert not _imported(*arguments) & HEAVY


def _imported(*arguments: str) -> set[str]:
    line = [sys.executable, "-X", "importtime", "-m", "forwarder", *arguments]
    modules = subprocess.run(line, check=True, capture_output=True, text=True).stderr
    imported = {line.rpartition("|")[2].strip() for line in modules.splitlines()}
    assert "click" in imported
    return imported


def _cpu_seconds_of_help(path: tuple[str, ...]) -> float:
    environment = {key: text for key, text in os.environ.items() if not key.startswith("COV")}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    line = [sys.executable, "-m", "forwarder", *path, "--help"]
    subprocess.run(line, check=True, capture_output=True, env=environment)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


@pytest.mark.parametrize("path", [path for path in COMMANDS if path != ("completion",)], ids=" ".join)
def test_examples_are_shown_and_are_command_lines_that_are_understood(path: tuple[str, ...]) -> None:
    examples = examples_of(COMMANDS[path]).splitlines()
    help = COMMANDS[path].get_help(click.Context(COMMANDS[path]))
    assert help.partition("Examples:\n")[2].startswith("".join(f"  {line}\n" for line in examples).rstrip())
    lines = [part for line in examples for part in line.split(" | ") if "forwarder" in part]
    assert lines
    for line in lines:
        words = re.sub(r"'([^']*)'", lambda quoted: quoted[1].replace(" ", "_"), line.partition(" > ")[0]).split()
        assert words[0] == "forwarder"
        path = max((path for path in COMMANDS if tuple(words[1 : 1 + len(path)]) == path), key=len)
        named = COMMANDS[path]
        known = {option for each in named.params for option in (*each.opts, *each.secondary_opts)}
        used = {word for word in words if re.fullmatch(r"--?[a-z][a-z-]*", word)}
        assert used <= known | {"--help"}


@pytest.mark.parametrize("command", WITH_SETTINGS.values(), ids=map(" ".join, WITH_SETTINGS))
def test_the_connection_is_said_as_to_run(command: SettingsCommand) -> None:
    flags = {option for each in command.params for option in each.opts}
    for name in ("profile", "config-file", "output-broker", "sasl-password-file", "ssl-ca-cert-file", "kafka-config"):
        assert f"--{name}" in flags
    own = {option for each in command.own for option in each.opts if option.startswith("--")}
    assert not own & {f"--{name}" for name in BY_NAME}, "a flag would mean two things"
