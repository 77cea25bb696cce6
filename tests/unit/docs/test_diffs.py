"""The contributing guide shows changes that were made: what they left is in the files, what they took is not."""

import re

import pytest

from tests.unit.docs.pages import ROOT, Block, blocks


def diffs() -> list[Block]:
    return [block for block in blocks("diff") if block.place.startswith("CONTRIBUTING.md")]


@pytest.mark.parametrize("block", diffs(), ids=lambda block: block.place)
def test_a_diff_is_true_of_its_file(block: Block) -> None:
    named = re.search(r"^\+\+\+ b/(.+)$", block.text, re.MULTILINE)
    assert named, "it names its file"
    changes = [line for line in block.text.splitlines() if not line.startswith(("+++", "---"))]
    kept = [line[1:] for line in changes if line[0] in "+ "]
    taken = [line[1:] for line in changes if line[0] == "-"]
    lines = iter((ROOT / named[1]).read_text(encoding="utf-8").splitlines())
    for line in kept:
        assert line in lines, f"{named[1]} has {line!r}, after the lines before it"
    text = (ROOT / named[1]).read_text(encoding="utf-8").splitlines()
    assert not set(taken) & set(text)


def test_there_is_one_for_a_schema_a_dialect_and_a_metric() -> None:
    text = "".join(block.text for block in diffs())
    for file in (
        "schemas/",
        "forwarder/encode/__init__.py",
        "forwarder/commands/__init__.py",
        "forwarder/observe/metrics.py",
    ):
        assert f"+++ b/{file}" in text
