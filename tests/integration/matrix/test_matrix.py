"""Every kind of PV in every schema: each cell of table.py is a test of its own, judged by two readers."""

from collections.abc import Iterator

import pytest

from forwarder.encode import SCHEMAS as FORWARDER_SCHEMAS
from forwarder.model import EPICS_EPOCH_S, Transport
from tests.support import processes

from .cells import Row, reading, rows
from .judges import Said
from .rig import P4P_TIME_NS, SERVICE_ID, Outcome, Refusal, Results, Told, results_of
from .table import REFUSED_AS, SCHEMAS, TABLE

ROWS = rows(TABLE, SCHEMAS)
COMPANIONS = ("ep00", "ep01", "al00", "un00")

every_pv = pytest.mark.parametrize("row", ROWS, ids=str)


@pytest.fixture(scope="module", autouse=True)
def nothing_left_behind() -> Iterator[None]:
    """Looked at once for all these tests, which only read what one run has brought."""
    before = processes.children()
    yield
    assert processes.children() == before


@pytest.fixture(scope="module")
def results(nothing_left_behind: None) -> Results:
    return results_of(ROWS, SCHEMAS)


def said(told: list[Told], *schemas: str) -> list[Said]:
    """What messages in these formats say, when both judges read the same."""
    found = [each for each in told if each.schema in schemas]
    for each in found:
        assert each.by_ess in (None, each.by_flatc), "the judges disagree"
    return [each.by_flatc for each in found]


def data(told: list[Told]) -> list[Said]:
    return said(told, *{each.schema for each in told}.difference(COMPANIONS))


def messages(outcome: Outcome) -> Iterator[tuple[Told, Said]]:
    """All messages of all streams of a PV."""
    for told in outcome.messages.values():
        for each in told:
            yield each, each.by_flatc


def time_of(row: Row, results: Results) -> int:
    """The time of a PV's update."""
    if "1990" in row.also:
        return EPICS_EPOCH_S * 10**9
    if "receipt" in row.also:
        (log,) = data(results.outcomes[row].messages["f142"])
        assert log.time_ns is not None
        assert results.began_ns <= log.time_ns <= results.ended_ns
        return log.time_ns
    return P4P_TIME_NS if row.in_p4p else results.ioc_time_ns


def refused_as(row: Row) -> str:
    """What a refusal calls the type of a PV."""
    word, is_array = row.type_word
    types = {word: name for words, name in REFUSED_AS[row.transport.name].items() for word in words.split()}
    return f"arrays of {types[word]}" if is_array else types[word]


@pytest.mark.parametrize(
    ("row", "schema"), [pytest.param(row, schema, id=f"{row}-{schema}") for row in ROWS for schema in SCHEMAS]
)
def test_cell(results: Results, row: Row, schema: str) -> None:
    outcome = results.outcomes[row]
    cell = row.cells[schema]
    got = [each.content for each in data(outcome.messages[schema])]
    refusal = outcome.refusals[schema]
    if cell == ".":
        assert (got, refusal, outcome.errors) == ([], Refusal("", 0), 0)
    elif cell == "-" or cell.startswith("- "):
        assert (got, refusal.updates) == ([], outcome.updates)
        assert f"{row.pv}: " in refusal.text
        assert schema in refusal.text
        assert (cell[2:] or f"no place for {refused_as(row)}") in refusal.text
    else:
        expected = reading(cell)
        assert got == [expected.after(time_of(row, results)) if expected.code == "t" else expected]
        assert refusal == Refusal("", 0)


@every_pv
def test_every_message_has_the_name_of_the_pv_as_key(results: Results, row: Row) -> None:
    for told, message in messages(results.outcomes[row]):
        assert (told.key.decode(), message.name) == (row.pv, row.pv)


@every_pv
def test_the_connection_comes_first_and_once(results: Results, row: Row) -> None:
    for schema, told in results.outcomes[row].messages.items():
        expected = FORWARDER_SCHEMAS[schema].connection_schema
        assert [each.content for each in said(told, "ep00", "ep01")] == [("CONNECTED", SERVICE_ID)] * bool(expected)
        assert [each.schema for each in told[:1]] == [expected] * bool(expected)


@every_pv
def test_times_are_exact(results: Results, row: Row) -> None:
    outcome = results.outcomes[row]
    for told, message in messages(outcome):
        if told.schema in ("ep00", "ep01", "un00"):
            assert message.time_ns is not None
            assert results.began_ns <= message.time_ns <= results.ended_ns
            assert told.kafka_ms == message.time_ns // 10**6
        else:
            time_ns = time_of(row, results)
            assert told.kafka_ms == time_ns // 10**6
            times = getattr(message.content, "times", None)
            if message.time_ns is not None:
                assert message.time_ns == (times[0] if times else time_ns)


@every_pv
def test_the_alarm_is_said_once(results: Results, row: Row) -> None:
    status, severity = row.alarm
    for schema, told in results.outcomes[row].messages.items():
        assert all(each.alarm in (None, row.alarm) for each in data(told))
        has_al00 = schema not in ("f142", "text_f142", "no_op")
        expected = [("OK" if severity == "NO_ALARM" else severity, status)] * has_al00
        assert [each.content for each in said(told, "al00")] == expected


@every_pv
def test_the_units_are_said_once(results: Results, row: Row) -> None:
    for schema, told in results.outcomes[row].messages.items():
        has_un00 = schema not in ("f142", "text_f142", "no_op")
        assert [each.content for each in said(told, "un00")] == [row.units] * has_un00


def test_updates_without_a_time_are_counted(results: Results) -> None:
    untimed = sum("receipt" in row.also for row in ROWS)
    assert results.counts[Transport.PVA]["updates_without_time"] == untimed


def test_no_pv_has_a_second_line() -> None:
    assert len({row.pv for row in ROWS}) == len(ROWS)


def test_every_schema_has_a_column() -> None:
    assert set(SCHEMAS) == set(FORWARDER_SCHEMAS)
