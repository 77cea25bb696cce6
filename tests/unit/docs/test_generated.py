"""The pages that are made from the code are those of the code there is."""

import re
from urllib.parse import SplitResult, parse_qsl, urlsplit

import pytest

from docs.generate import ROOT, pages
from docs.generate_api import description
from tests.unit.docs.pages import blocks


@pytest.mark.parametrize("place", pages())
def test_the_page_is_up_to_date(place: str) -> None:
    assert (ROOT / place).read_text(encoding="utf-8") == pages()[place], "make reference writes it anew"


def asked() -> list[SplitResult]:
    """What the documents ask the API for."""
    urls = [url for block in blocks("console") for url in re.findall(r"'([^'\s]*/api/[^'\s]*)'", block.text)]
    return [urlsplit(f"http://{url}") for url in urls]


@pytest.mark.parametrize("url", asked(), ids=lambda url: url.query)
def test_what_the_documents_ask_the_api_for_is_what_it_takes(url: SplitResult) -> None:
    parameters = description()["paths"][url.path]["get"]["parameters"]
    schemas = {each["name"]: each["schema"] for each in parameters}
    for name, value in parse_qsl(url.query, strict_parsing=True):
        assert name in schemas
        assert value in schemas[name].get("enum", [value])


def test_the_api_is_asked_for_something() -> None:
    assert len(asked()) >= 2


def test_every_format_has_a_section_with_its_identifier() -> None:
    page = pages()["docs/reference/messages.md"]
    for path in (ROOT / "schemas").glob("*.fbs"):
        assert f"## {path.stem}\n" in page
        assert f'file_identifier "{path.stem}";' in page
