"""The documents, and the blocks of code in them."""

import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[3]

_BLOCK = re.compile(r"^(?P<indent> *)```(?P<kind>[a-z]+)\n(?P<text>.*?)^(?P=indent)```$", re.MULTILINE | re.DOTALL)
_SPAN = re.compile(r"`([^`]+)`")
_BETWEEN_PIPES = re.compile(r"(?<!\\)\|")


@dataclass(frozen=True, slots=True)
class Block:
    kind: str
    text: str
    place: str
    """File and line, for a test's name."""


def pages() -> list[Path]:
    """Every document."""
    return [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]


def blocks(*kinds: str) -> Iterator[Block]:
    """The blocks of some kinds, such as `console`, of every document."""
    for page in pages():
        text = page.read_text(encoding="utf-8")
        for found in _BLOCK.finditer(text):
            if found["kind"] in kinds:
                line = text.count("\n", 0, found.start()) + 1
                yield Block(found["kind"], textwrap.dedent(found["text"]), f"{page.relative_to(ROOT)}:{line}")


def spans() -> Iterator[Block]:
    """The code within the text of every document; what the page of commands has there is made from them."""
    for page in pages():
        if page.name == "cli.md":
            continue
        text = _BLOCK.sub(lambda block: "\n" * block[0].count("\n"), page.read_text(encoding="utf-8"))
        for found in _SPAN.finditer(text):
            line = text.count("\n", 0, found.start()) + 1
            yield Block("code", found[1].replace("\n", " "), f"{page.relative_to(ROOT)}:{line}")


def rows(page: str) -> Iterator[list[str]]:
    """The cells of every row of every table of a page, headings too."""
    for line in (ROOT / page).read_text(encoding="utf-8").splitlines():
        if line.startswith("| ") and not line.startswith("|-"):
            yield [cell.strip() for cell in _BETWEEN_PIPES.split(line.strip().strip("|"))]
