"""The reference of the command line is that of the commands there are."""

from pathlib import Path

from forwarder.cli.reference import reference

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "cli.md"


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text(encoding="utf-8") == reference(), "make reference writes it anew"
