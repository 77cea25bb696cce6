"""The bars of what takes long: on a terminal, and nothing of them in a pipe or a file."""

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from confluent_kafka import Producer

from forwarder.encode import f144
from forwarder.model import ChannelType, ValueType
from tests.integration.cli.rig import Site, command
from tests.integration.cli.test_check import epics
from tests.support.kafka import Broker
from tests.support.terminal import TerminalCommand
from tests.support.waiting import wait_until

PROGRAM = [sys.executable, "-m", "forwarder"]
CONTROLS = re.compile(rb"[\x00-\x09\x0b-\x1f\x7f]")
"""All but the end of a line."""
CURSOR_HIDDEN = b"\x1b[?25l"
DOUBLE = ChannelType(ValueType.FLOAT64, False)
WAIT_S = 30.0


def test_pvs_that_are_looked_for(site: Site, tmp_path: Path) -> None:
    pvs = ["--pv", "CLI:WARM", "--pv", "CLI:NONE", "--timeout", "3", "--state-directory", str(tmp_path)]
    line = [*PROGRAM, "check", *pvs, "--output-broker", site.broker.address, "--instrument", "CLI"]
    with TerminalCommand(line, lines=60, environment=epics(site)) as terminal:
        wait_until(lambda: terminal.shows("1 of 2 found"), WAIT_S, what="one PV is found")
        wait_until(lambda: terminal.exit_code is not None, WAIT_S)
        assert not terminal.shows("1 of 2 found"), "it goes when it is done"
        assert terminal.shows("CLI:NONE")
        assert terminal.shows_cursor
    assert b"0 of 2 found" in terminal.raw


def test_a_confirmation_that_does_not_come(kafka_broker: Broker, unique: Callable[[str], str]) -> None:
    line = nobody_listens(kafka_broker, unique)
    with TerminalCommand([*PROGRAM, *line, "--timeout", "2"], columns=160) as terminal:
        wait_until(lambda: terminal.shows("waiting for the forwarder to confirm"), WAIT_S)
        wait_until(lambda: terminal.shows("1 of 2 s"), WAIT_S, what="half of it is over")
        wait_until(lambda: terminal.exit_code is not None, WAIT_S)
        assert terminal.exit_code == 3
        assert terminal.shows("not confirmed within 2 s")
        assert terminal.shows_cursor


def test_ctrl_c_says_that_the_command_is_sent(kafka_broker: Broker, unique: Callable[[str], str]) -> None:
    line = nobody_listens(kafka_broker, unique)
    with TerminalCommand([*PROGRAM, *line, "--timeout", "60"], columns=160) as terminal:
        wait_until(lambda: terminal.shows("of 60 s"), WAIT_S, what="it waits")
        terminal.type("\x03")
        wait_until(lambda: terminal.exit_code is not None, WAIT_S)
        assert terminal.exit_code == 130
        assert terminal.shows("[0]@0, which is not taken back; not confirmed yet")
        assert terminal.shows_cursor


def test_messages_that_go_to_a_file(kafka_broker: Broker, unique: Callable[[str], str], tmp_path: Path) -> None:
    topic = unique("counted")
    kafka_broker.create_topic(topic)
    send = sender(kafka_broker, topic)
    line = [*PROGRAM, "watch", topic, "--output-broker", kafka_broker.address, "--from", "beginning", "--json"]
    with (tmp_path / "out").open("wb") as out, TerminalCommand([*line, "-n", "5"], stdout=out) as terminal:
        for count in range(1, 5):
            send(1)
            wait_until(lambda: terminal.shows("reading ━"), WAIT_S, what="there is a bar")
            wait_until(lambda: terminal.shows(f"{count} of 5 messages"), WAIT_S, what=f"{count} are read")  # noqa: B023
        send(1)
        wait_until(lambda: terminal.exit_code is not None, WAIT_S)
        assert not terminal.shows("of 5 messages"), "it goes when it is done"
        assert terminal.shows("5 messages")
        assert terminal.shows_cursor
    written = (tmp_path / "out").read_bytes()
    assert not CONTROLS.search(written)
    assert [json.loads(each)["value"] for each in written.splitlines()] == [0.0] * 5


def test_messages_up_to_the_end(
    kafka_broker: Broker,
    unique: Callable[[str], str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("forwarder.cli.watch_progress._LONG_S", 0.0)
    monkeypatch.setattr("forwarder.cli.watch_shown._DRAWN_EVERY_S", 0.0)
    topic = unique("long")
    kafka_broker.create_topic(topic, 2)
    sender(kafka_broker, topic)(10_000)
    said = command(
        "watch", topic, "--output-broker", kafka_broker.address, "--from", "beginning", "--until", "end", "--quiet",
        "--color", "always",
    )  # fmt: skip
    shown = [int(each.replace(",", "")) for each in re.findall(r"([\d,]+) of 10,000 messages", said.err)]
    assert shown == sorted(shown)
    assert shown[0] < shown[-1] <= 10_000
    assert CURSOR_HIDDEN.decode() in said.err
    assert said.err.rstrip().endswith("10000 messages")
    assert said.out == ""


def test_colours_that_are_wanted_in_a_pipe_have_it_too(kafka_broker: Broker, unique: Callable[[str], str]) -> None:
    done = piped([*nobody_listens(kafka_broker, unique), "--timeout", "0.5", "--color", "always"])
    assert done.returncode == 3
    assert b" of 0.5 s" in done.stderr


@pytest.mark.parametrize("what", ["check", "streams", "watch"])
def test_a_pipe_gets_plain_text(what: str, site: Site, unique: Callable[[str], str], tmp_path: Path) -> None:
    where = ["--output-broker", site.broker.address]
    lines = {
        "check": [
            "check", "--pv", "CLI:NONE", "--timeout", "0.5", "--state-directory", str(tmp_path), *where,
            "--instrument", "CLI",
        ],
        "streams": [*nobody_listens(site.broker, unique), "--timeout", "0.5"],
        "watch": ["watch", "CLI_forwarderStatus", "--from", "beginning", "-n", "3", "--quiet", *where],
    }  # fmt: skip
    done = piped(lines[what])
    assert done.stderr
    assert not CONTROLS.search(done.stdout + done.stderr), done.stderr
    assert b"\xe2\x94\x81" not in done.stdout + done.stderr, "no bar"


def nobody_listens(broker: Broker, unique: Callable[[str], str]) -> list[str]:
    """An order to a forwarder that there is not."""
    instrument = unique("NOBODY")
    for topic in ("forwarderConfig", "forwarderStatus"):
        broker.create_topic(f"{instrument}_{topic}")
    return ["streams", "add", "X", "--topic", "T", "--missing-topics", "--instrument", instrument,
            "--output-broker", broker.address]  # fmt: skip


def sender(broker: Broker, topic: str) -> Callable[[int], None]:
    producer = Producer({"bootstrap.servers": broker.address})
    value = f144.encoder("A", DOUBLE).encode(0.0, 1_700_000_000_000_000_000)

    def send(count: int) -> None:
        for _ in range(count):
            producer.produce(topic, value)
        assert producer.flush(10) == 0

    return send


def piped(arguments: list[str]) -> "subprocess.CompletedProcess[bytes]":
    return subprocess.run([*PROGRAM, *arguments], capture_output=True, timeout=60, check=False)
