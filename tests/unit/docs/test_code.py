"""Code in the documents: commands are ones that the command line knows, Python is Python, settings are settings."""

import ast
import json
import re
import shlex
import subprocess
import tomllib
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import click
import pytest

from forwarder.cli.arguments import understood
from forwarder.cli.group import forwarder
from forwarder.settings.table import BY_NAME
from tests.unit.docs.pages import ROOT, Block, blocks, spans

NOTHING = click.Context(forwarder)
PROMPTS = ("$ ", "# ", "PS> ")
_ENDS = {"|", ">", "2>", "#", "&&", ";"}


# After a prompt, in a container, in another shell: wherever it is followed by something to do.
_FORWARDER = re.compile(
    rf"(?<![\w.-])(?<!/lib/)(?:forwarder|forwarder\.exe) (?=(?:{'|'.join(forwarder.list_commands(NOTHING))})\b|--)"
)


def commands() -> Iterator[tuple[str, list[str]]]:
    """What follows each `forwarder` that is typed, or within the text is more than a command's name; with its place."""
    for code in (*typed(), *spans()):
        for line in code.text.splitlines():
            for found in _FORWARDER.finditer(line):
                words = shlex.split(line[found.end() :].rstrip('")'), comments=True)
                end = next((n for n, word in enumerate(words) if word in _ENDS), len(words))
                if code.kind == "console" or end > 1:
                    yield code.place, words[:end]


def typed() -> Iterator[Block]:
    """The blocks of what is typed, with a line that goes on as one line, and without what is answered."""
    for block in blocks("console"):
        lines = block.text.replace("\\\n", " ").splitlines()
        kept = [line.removeprefix("$ ").removeprefix("# ") for line in lines if line.startswith(PROMPTS)]
        yield Block(block.kind, "\n".join(kept), block.place)


def parse(arguments: list[str]) -> None:
    """Read a command line as the command itself would, and do nothing. Raises click.UsageError."""
    command: click.Command | None = forwarder
    context = click.Context(forwarder)
    rest = arguments
    while isinstance(command, click.Group):
        assert rest, "a command is named"
        command, rest = command.get_command(context, rest[0]), rest[1:]
        assert command is not None, f"there is a command for {arguments}"
    assert command is not None
    with command.make_context("forwarder", [*rest], resilient_parsing=False):
        pass


COMMANDS = list(commands())


@pytest.mark.parametrize(("place", "words"), COMMANDS, ids=[f"{place} {words[0]}" for place, words in COMMANDS])
def test_a_command_is_one_that_the_command_line_knows(
    place: str, words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for flag, value in pairwise(words):
        if flag in {"--file", "-f"} and value != "-":
            Path(value).touch()
    if set(words) & {"--help", "--version"}:
        return
    parse(understood(words, {}))


def test_a_flag_that_does_not_exist_would_be_found() -> None:
    with pytest.raises(click.UsageError):
        parse(["streams", "list", "--instrumentt", "LARMOR"])


def test_there_are_commands_to_look_at() -> None:
    assert len(COMMANDS) > 30
    assert any(place.startswith("docs/tutorial") for place, _ in COMMANDS)
    # Behind podman, at a prompt of PowerShell, and in a row of a table.
    for page in ("install-container", "install-windows", "troubleshoot"):
        service = [words for place, words in COMMANDS if f"/{page}.md" in place and "--service" in words]
        assert service, page


TYPED = list(typed())


@pytest.mark.parametrize("block", TYPED, ids=lambda block: block.place)
def test_what_is_typed_is_a_shells_and_names_files_that_are_there(block: Block) -> None:
    if "PS> " not in block.text:
        done = subprocess.run(["bash", "-n"], input=block.text, text=True, capture_output=True, timeout=10, check=False)
        assert (done.returncode, done.stderr) == (0, "")
    for named in re.findall(r"(?<![\w/])(deploy[/\\][\w/\\.@*-]+|constraints\.txt)", block.text):
        assert list(ROOT.glob(named.replace("\\", "/"))), named


@pytest.mark.parametrize("block", list(blocks("python")), ids=lambda block: block.place)
def test_python_compiles(block: Block) -> None:
    ast.parse(block.text)


@pytest.mark.parametrize("block", list(blocks("json")), ids=lambda block: block.place)
def test_json_is_json(block: Block) -> None:
    json.loads(block.text)


@pytest.mark.parametrize("block", list(blocks("toml")), ids=lambda block: block.place)
def test_toml_sets_what_can_be_set(block: Block) -> None:
    assert set(tomllib.loads(block.text)) <= set(BY_NAME)


@pytest.mark.parametrize("block", list(blocks("console")), ids=lambda block: block.place)
def test_make_has_the_targets(block: Block) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    for line in block.text.splitlines():
        if line.startswith("$ make "):
            assert line.split()[2] in targets, line
