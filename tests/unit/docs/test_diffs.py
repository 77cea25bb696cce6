"""The contributing guide shows changes that were made: they are in those commits, and in the files as they are now."""

import re
import subprocess
from collections.abc import Iterator, Sequence
from itertools import groupby

import pytest

from tests.unit.docs.pages import ROOT, Block, blocks

_ANSWER_WITHIN_S = 30.0


def diffs() -> list[Block]:
    return [block for block in blocks("diff") if block.place.startswith("CONTRIBUTING.md")]


def header(block: Block) -> tuple[str, str]:
    """The commit that a diff is from, and its file."""
    found = re.match(r"commit ([0-9a-f]{7,40})\n--- (?:a/.+|/dev/null)\n\+\+\+ b/(.+)\n", block.text)
    assert found, "it names its commit and its file"
    return found[1], found[2]


def pieces(block: Block) -> list[list[str]]:
    """The lines that follow each other, those of the header left out."""
    lines = block.text.splitlines()[3:]
    return [list(piece) for gap, piece in groupby(lines, lambda line: line.startswith("@@")) if not gap]


def shown_by_git(commit: str, file: str) -> list[str] | None:
    """What the commit has changed of the file; None where that is not known, as in a copy without the history."""
    try:
        # The oldest commit of a shallow clone seems to have added every file.
        if git("rev-parse", "--is-shallow-repository").stdout.strip() != "false":
            return None
        done = git("show", "--format=", "--no-ext-diff", "--no-color", commit, "--", file)
    except FileNotFoundError:
        return None
    if done.returncode != 0:
        return None
    assert git("merge-base", "--is-ancestor", commit, "HEAD").returncode == 0, f"{commit} is a commit of this history"
    return done.stdout.splitlines()


def git(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = ["git", "-C", str(ROOT), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=_ANSWER_WITHIN_S, check=False)


def places(piece: Sequence[str], lines: Sequence[str]) -> Iterator[int]:
    """Where the lines are one after the other."""
    return (at for at in range(len(lines)) if list(lines[at : at + len(piece)]) == list(piece))


@pytest.mark.parametrize("block", diffs(), ids=lambda block: block.place)
def test_a_diff_is_of_its_commit_and_true_of_its_file(block: Block) -> None:
    commit, file = header(block)
    said = shown_by_git(commit, file)
    text = (ROOT / file).read_text(encoding="utf-8").splitlines()
    lines = iter(text)
    for piece in pieces(block):
        assert said is None or any(places(piece, said)), f"git show {commit} has these lines of {file} in a row"
        for line in (line[1:] for line in piece if line[0] in "+ "):
            assert line in lines, f"{file} has {line!r}, after the lines before it"
        assert not {line[1:] for line in piece if line[0] == "-"} & set(text)


def test_what_is_no_diff_of_the_commit_would_be_found() -> None:
    piece = ["+one", "+two"]
    assert list(places(piece, ["+zero", "+one", "+two"])) == [1]
    assert list(places(piece, ["+one", "+between", "+two"])) == []
    assert list(places(piece, ["+one"])) == []


def test_there_is_one_for_a_schema_a_dialect_and_a_metric() -> None:
    assert {file for _, file in map(header, diffs())} >= {
        "schemas/senv.fbs",
        "forwarder/decode/schemas.py",
        "forwarder/encode/__init__.py",
        "forwarder/commands/__init__.py",
        "forwarder/observe/metrics.py",
    }
