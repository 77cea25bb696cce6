"""The pages that are made from the code are those of the code there is."""

import pytest

from docs.generate import ROOT, pages


@pytest.mark.parametrize("place", pages())
def test_the_page_is_up_to_date(place: str) -> None:
    assert (ROOT / place).read_text(encoding="utf-8") == pages()[place], "make reference writes it anew"


def test_every_format_has_a_section_with_its_identifier() -> None:
    page = pages()["docs/reference/messages.md"]
    for path in (ROOT / "schemas").glob("*.fbs"):
        assert f"## {path.stem}\n" in page
        assert f'file_identifier "{path.stem}";' in page
