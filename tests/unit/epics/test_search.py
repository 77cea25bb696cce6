"""Search datagrams and their answers, judged by caproto's own broadcaster."""

from itertools import pairwise

import caproto
import pytest
from hypothesis import given
from hypothesis import strategies as st

from forwarder.epics.ca.search import (
    LONGEST_NAME,
    MAX_DATAGRAM,
    datagrams,
    is_searchable,
    read_answers,
    search_message,
)

SERVER = ("10.1.2.3", 5064)
NAMES = st.lists(st.text("ABCDEFGHIJ:-_.0123456789", min_size=1, max_size=120), max_size=200)


def what_a_server_reads(datagram: bytes) -> list[tuple[str, int]]:
    commands = caproto.Broadcaster(caproto.SERVER).recv(datagram, ("10.0.0.1", 40000))
    version, *searches = commands
    assert isinstance(version, caproto.VersionRequest)
    assert version.version == 13
    assert all(isinstance(search, caproto.SearchRequest) for search in searches)
    assert all(search.reply == caproto.NO_REPLY for search in searches)
    return [(search.name, search.cid) for search in searches]


def what_a_client_finds(data: bytes, sender: str = "10.9.9.9") -> list[tuple[int, tuple[str, int]]]:
    found: list[tuple[int, tuple[str, int]]] = []
    read_answers(data, sender, lambda *answer: found.append(answer))
    return found


def answer(cid: int, ip: str | None = SERVER[0], port: int = SERVER[1]) -> bytes:
    return bytes(caproto.SearchResponse(port, ip, cid, 13))


VERSION = bytes(caproto.VersionResponse(13))


@given(NAMES)
def test_every_name_is_asked_for_once_in_few_datagrams_of_legal_size(names: list[str]) -> None:
    messages = [search_message(n, name) for n, name in enumerate(names)]
    packed = datagrams(messages)
    assert all(len(datagram) <= MAX_DATAGRAM for datagram in packed)
    assert [search for datagram in packed for search in what_a_server_reads(datagram)] == [
        (name, n) for n, name in enumerate(names)
    ]
    # None could have been filled with what is in the one after it.
    for datagram, after in pairwise(packed):
        first_of_next = len(search_message(0, what_a_server_reads(after)[0][0]))
        assert len(datagram) + first_of_next > MAX_DATAGRAM


def test_names_of_usual_length_go_thirty_one_to_a_datagram() -> None:
    names = [f"IN:DEMO:SB:{n:03}" for n in range(300)]
    assert len(datagrams(search_message(n, name) for n, name in enumerate(names))) == 10


@pytest.mark.parametrize(
    ("name", "searchable"),
    [
        ("IN:DEMO:CS:SB:TEMP1", True),
        ("A" * LONGEST_NAME, True),
        ("A" * (LONGEST_NAME + 1), False),
        ("é" * (LONGEST_NAME // 2 + 1), False),
        ("", False),
        ("A\0B", False),
        ("\udc80", False),
    ],
)
def test_a_name_is_searchable_when_it_fits_a_datagram(name: str, searchable: bool) -> None:
    assert is_searchable(name) is searchable


@pytest.mark.parametrize("length", range(LONGEST_NAME - 16, LONGEST_NAME + 1))
def test_the_longest_names_fill_a_datagram_and_not_more(length: int) -> None:
    (datagram,) = datagrams([search_message(1, "A" * length)])
    assert len(datagram) <= MAX_DATAGRAM
    assert what_a_server_reads(datagram) == [("A" * length, 1)]


ANSWERS = {
    "one": (answer(7), [(7, SERVER)]),
    "behind a version": (VERSION + answer(7), [(7, SERVER)]),
    "several": (VERSION + answer(7) + answer(8, "10.1.2.4"), [(7, SERVER), (8, ("10.1.2.4", 5064))]),
    "from the sender itself": (answer(7, None), [(7, ("10.9.9.9", 5064))]),
    "not found": (bytes(caproto.NotFoundResponse(13, 7)) + answer(8), [(8, SERVER)]),
    "a beacon strayed in": (bytes(caproto.Beacon(13, 5064, 1, "10.0.0.1")) + answer(8), [(8, SERVER)]),
    "cut in the second": (answer(7) + answer(8)[:-1], [(7, SERVER)]),
    "cut in its header": (answer(7)[:15], []),
    "nothing": (b"", []),
}


@pytest.mark.parametrize(("data", "found"), ANSWERS.values(), ids=ANSWERS)
def test_answers_are_told(data: bytes, found: list[tuple[int, tuple[str, int]]]) -> None:
    assert what_a_client_finds(data) == found


@given(st.binary(max_size=200))
def test_junk_never_raises(junk: bytes) -> None:
    assert 0 <= read_answers(junk, "10.9.9.9", lambda *_: None) <= len(junk)


@given(st.integers(0, 72), st.binary(max_size=40))
def test_an_answer_cut_anywhere_gives_the_whole_ones_before_the_cut(cut: int, junk: bytes) -> None:
    whole = VERSION + answer(1) + answer(2)
    found = what_a_client_finds(whole[:cut])
    assert found == [(1, SERVER), (2, SERVER)][: sum(cut >= end for end in (40, 64))]
    assert what_a_client_finds(whole + junk[:15]) == [(1, SERVER), (2, SERVER)]


def test_what_is_not_whole_yet_is_left_for_the_next_read() -> None:
    data = answer(7) + answer(8)
    assert read_answers(data[:-1], "10.9.9.9", lambda *_: None) == len(answer(7))
