"""Lists of streams as people write them."""

import json

import pytest

from forwarder.commands import parse_streams_file
from forwarder.errors import BadCommand
from forwarder.model import Stream, Transport
from forwarder.tools.listing import Defaults, Form, names, parse, write_csv, write_json

DEFAULTS = Defaults("f144", "T_sampleEnv", "ca")
CA, PVA = Transport.CA, Transport.PVA
ONE = Stream("PV1", CA, "f144", "T_sampleEnv")

GOOD: dict[str, tuple[str, list[Stream]]] = {
    "names": ("PV1\n\n  PV2  \n", [ONE, Stream("PV2", CA, "f144", "T_sampleEnv")]),
    "no end of line": ("PV1", [ONE]),
    "comments": ("# all of them\nPV1 # the first\n#PV2\n", [ONE]),
    "a hash within a name": ("PV#1\n", [Stream("PV#1", CA, "f144", "T_sampleEnv")]),
    "all columns": ("PV1 f142 h:1/T pva yes\n", [Stream("PV1", PVA, "f142", "T", "h:1", True)]),
    "some columns": ("PV1 f142\n", [Stream("PV1", CA, "f142", "T_sampleEnv")]),
    "a BOM and Windows' ends of line": ("\ufeffPV1\r\nPV1 f142\r\n", [ONE, Stream("PV1", CA, "f142", "T_sampleEnv")]),
    "CSV with a heading": (
        "topic,PV,Protocol\nT,PV1,PVA\n,PV2,\n",
        [Stream("PV1", PVA, "f144", "T"), Stream("PV2", CA, "f144", "T_sampleEnv")],
    ),
    "CSV without one": (
        "PV1,f142,T,pva,0\nPV2,,T\n",
        [Stream("PV1", PVA, "f142", "T"), Stream("PV2", CA, "f144", "T")],
    ),
    "CSV with quotes": ('channel,topic\n"PV1","T"\n', [Stream("PV1", CA, "f144", "T")]),
    "JSON": (
        '{"streams":[{"channel":"PV1","channel_provider_type":"ca","converter":[{"schema":"f142","topic":"T"},'
        '{"schema":"TdcTime","topic":"//h:9092/T"}]}]}',
        [Stream("PV1", CA, "f142", "T"), Stream("PV1", CA, "tdct", "T", "h:9092")],
    ),
    "nothing": ("# nothing\n", []),
}


@pytest.mark.parametrize(("text", "streams"), GOOD.values(), ids=GOOD)
def test_a_list(text: str, streams: list[Stream]) -> None:
    found = parse(text, Form.AUTO, DEFAULTS)
    assert found == streams
    assert [each.periodic for each in found] == [each.periodic for each in streams]


BAD = {
    "an unknown column": ("PV,scheme\nPV1,f142\n", "line 1: the column 'scheme' is not one of channel, schema, topic"),
    "too many": (
        "PV1 f142 T ca yes no\n",
        "line 1: 6 values, where there are 5: channel schema",
    ),
    "a protocol": ("PV1\nPV2 f142 T v4\n", "line 2: the protocol 'v4' is not one of pva, ca, fake"),
    "a topic": ("PV1 f142 a/b/c\n", "line 1: topic 'a/b/c' is not a name Kafka allows"),
    "no name": (",f142\n", "line 1: no channel"),
    "a name": ("PV\u00a01,f142\n", r"line 1: channel 'PV\\xa01' has '\\xa0', which no PV name has"),
    "periodic": ("PV1 f142 T ca maybe\n", "line 1: periodic is 'maybe', neither yes nor no"),
    "JSON": ('{"streams":[{"channel":"PV1"}]}', "streams file: stream 1 of 1: no converter"),
}


@pytest.mark.parametrize(("text", "complaint"), BAD.values(), ids=BAD)
def test_what_is_wrong_names_its_line(text: str, complaint: str) -> None:
    with pytest.raises(BadCommand, match=complaint.replace("(", r"\(")):
        parse(text, Form.AUTO, DEFAULTS)


def test_what_is_not_said_anywhere_is_missing() -> None:
    with pytest.raises(BadCommand, match="line 1: no topic is given: --topic"):
        parse("PV1 f142", Form.AUTO, Defaults("f144", "", "ca"))


def test_a_form_that_is_said_is_not_guessed() -> None:
    assert parse("PV1,f142 f144 T", Form.LINES, DEFAULTS)[0].channel == "PV1,f142"


WRITTEN = [
    Stream("PV1", CA, "f142", "T", "h:1"),
    Stream("PV2", PVA, "f144", "T", periodic=True),
    Stream("PV1", CA, "f144", "U"),
]


def test_what_is_written_as_csv_is_read_again() -> None:
    found = parse(write_csv(WRITTEN), Form.AUTO, DEFAULTS)
    assert found == WRITTEN
    assert [each.periodic for each in found] == [False, True, False]


def test_what_is_written_as_json_is_read_again_by_every_reader_of_it() -> None:
    text = write_json(WRITTEN)
    assert set(parse(text, Form.AUTO, DEFAULTS)) == set(parse_streams_file(text)) == set(WRITTEN)
    assert len(json.loads(text)["streams"]) == 2
    assert json.loads(write_json([])) == {"streams": []}


def test_names_to_be_removed() -> None:
    assert names("# old\nPV1\nPV* f142 T\nPV3, f142\n") == ["PV1", "PV*", "PV3"]
