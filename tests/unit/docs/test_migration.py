"""The tables of flags of the two forwarders before this one are those of the code."""

import shlex
from pathlib import Path

import pytest

from forwarder.cli.arguments import understood
from forwarder.cli.group import forwarder
from forwarder.cli.options import command_line
from forwarder.settings import layers
from forwarder.settings.load import read
from forwarder.settings.names import LIBRDKAFKA, MEANINGLESS
from forwarder.settings.table import BY_NAME, SETTINGS, TABLE
from tests.unit.docs.pages import rows

CPP, ESS = "docs/how-to/migrate-from-cpp.md", "docs/how-to/migrate-from-ess.md"

KNOWN = {
    CPP: """
        --broker --broker-config --config-file --config-topic --config-uri --conversion-threads
        --conversion-worker-queue-size --fake-pv-period --graylog-logger-address --influx-url --kafka-config
        --kafka-gelf --log-file --main-poll-interval --pv-update-period --status-topic --status-uri --streams-json
        --verbose --verbosity -S -c -v
    """,
    ESS: """
        --config-file --config-topic --config-topic-sasl-password --fake-pv-period --grafana-carbon-address
        --graylog-logger-address --log-file --output-broker --output-broker-sasl-password --pv-update-period
        --service-id --skip-retrieval --ssl-ca-cert-file --statistics-update-interval --status-topic
        --status-topic-sasl-password --storage-topic --storage-topic-sasl-password --verbosity -c -s -v
    """,
}
"""What each of them had."""

FILES = {"ca.pem": "", "streams.json": '{"streams": []}', "forwarder.ini": "status-interval=4000\n"}


def flags(page: str) -> dict[str, tuple[str, str]]:
    """Of each flag in the tables of a page the example, and what it is here."""
    return {
        flag.strip("`"): (example.strip("`"), here)
        for flag, example, here, *_ in (row for row in rows(page) if len(row) == 4)
        if flag.startswith("`-")
    }


ROWS = [(page, flag, *meaning) for page in (CPP, ESS) for flag, meaning in flags(page).items()]


@pytest.mark.parametrize("page", [CPP, ESS])
def test_the_tables_have_every_flag_there_was(page: str) -> None:
    assert sorted(flags(page)) == KNOWN[page].split()


def test_every_old_name_in_the_code_is_told_of() -> None:
    told = {flag.lstrip("-") for page in (CPP, ESS) for flag in flags(page)}
    aliases = {alias for setting in SETTINGS for alias in setting.aliases}
    assert set(MEANINGLESS) | aliases <= told


@pytest.mark.parametrize(("page", "flag", "example", "here"), ROWS, ids=[f"{row[0][26:29]} {row[1]}" for row in ROWS])
def test_an_old_command_line_is_read_as_the_table_says(
    page: str, flag: str, example: str, here: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, text in FILES.items():
        Path(name).write_text(text, encoding="utf-8")
    words = [example] if "\\" in example else shlex.split(example)
    arguments = understood([flag, *words], {})
    assert arguments[0] == "run"
    context = forwarder.make_context("forwarder", arguments)
    run = forwarder.get_command(context, "run")
    assert run is not None
    given = dict(run.make_context("run", arguments[1:]).params)
    given.pop("show_settings", None)
    line = command_line(given)
    warnings: list[str] = []
    layer = layers.from_flags(TABLE, line, warnings)

    if here.startswith("nothing: "):
        name = flag.lstrip("-")
        assert here == f"nothing: {MEANINGLESS[name]}"
        assert not layer
        assert len(warnings) == 1
    else:
        setting = BY_NAME[here.strip("`").lstrip("-")]
        assert setting.name in layer
        assert all("shows the password" in warning for warning in warnings), "a flag that has a meaning has no warning"
        base = {"config-topic": ["broker:9092/c"]} if setting.name != "config-topic" else {}
        environment = {"SASL_PASSWORD": "secret"} if "SASL" in example else {}
        assert read({**base, **line}, environment), "and its value is allowed"


def test_variables_of_the_ess_forwarder_are_read() -> None:
    names = {name for setting in SETTINGS for name in setting.variables}
    without = {"--skip-retrieval", "--statistics-update-interval", "--grafana-carbon-address"}
    long = {flag for flag in flags(ESS) if flag.startswith("--")} - without
    assert {flag.lstrip("-").replace("-", "_").upper() for flag in long} <= names


def test_librdkafkas_names_are_those_of_the_code() -> None:
    told = {
        name.strip("`"): setting.strip("`").lstrip("-")
        for name, setting in (row for row in rows(CPP) if len(row) == 2)
        if "." in name
    }
    assert told == LIBRDKAFKA
