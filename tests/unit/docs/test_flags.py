"""A flag in a text is printed as code: of two hyphens in plain text the HTML makes a dash, which nothing takes."""

import re
from pathlib import Path

import pytest

from tests.unit.docs.pages import ROOT, pages

CODE = re.compile(r"^( *)```.*?^\1```|(`+).*?\2", re.MULTILINE | re.DOTALL)
BARE_FLAG = re.compile(r"(?<![\w-])--[a-z][a-z-]+")


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_no_flag_is_plain_text(page: Path) -> None:
    assert BARE_FLAG.findall(CODE.sub("", page.read_text(encoding="utf-8"))) == []
