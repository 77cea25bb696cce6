"""The command line as it is typed; within this process, because to start Python takes longer than most commands."""

import io
import os
import sys
from collections.abc import Mapping
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

from confluent_kafka import Producer

from forwarder.cli import main
from forwarder.encode import x5f2
from forwarder.observe.status import StreamList
from forwarder.settings.table import TABLE
from tests.support.forwarder_process import ForwarderProcess
from tests.support.ioc import EpicsIoc
from tests.support.kafka import Broker

_SETTINGS = frozenset(TABLE.variables())


@dataclass(frozen=True, slots=True)
class Said:
    """What a command has printed, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()

    def column(self, number: int) -> list[str]:
        """One column of a table, without its heading."""
        return [line.split()[number] for line in self.lines[1:]]


def command(*arguments: str, stdin: str = "", environment: Mapping[str, str] | None = None) -> Said:
    """Run `forwarder` with these arguments until it ends; `environment` is added to this process's own.

    Settings that whoever runs the tests has in the environment do not count.
    """
    out, err = io.StringIO(), io.StringIO()
    code: object = None
    own = {name: text for name, text in os.environ.items() if name not in _SETTINGS}
    with (
        patch.dict(os.environ, {**own, **(environment or {})}, clear=True),
        patch.object(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin.encode()), "utf-8")),
        redirect_stdout(out),
        redirect_stderr(err),
    ):
        try:
            main(arguments)
        except SystemExit as ended:
            code = ended.code
    assert isinstance(code, int)
    return Said(code, out.getvalue(), err.getvalue())


@dataclass(frozen=True, slots=True)
class Site:
    """An instrument CLI: its broker, its forwarder and its IOC."""

    broker: Broker
    forwarder: ForwarderProcess
    ioc: EpicsIoc

    def command(self, *arguments: str, stdin: str = "", environment: Mapping[str, str] | None = None) -> Said:
        """Run a command for this instrument."""
        where = ["--instrument", "CLI", "--output-broker", self.broker.address]
        return command(*arguments, *where, stdin=stdin, environment=environment)


def say(
    site: Site, topic: str, service_id: str, state: str = "running", facts: Mapping[str, Any] | None = None
) -> None:
    """A status of some forwarder that reads the site's config topic."""
    shown = StreamList()
    facts = facts or {"config": {"topics": {"b:9092/CLI_forwarderConfig": "reading"}}}
    sender = x5f2.Sender("forwarder", "0", service_id, "host", 1, 4000)
    producer = Producer({"bootstrap.servers": site.broker.address})
    producer.produce(topic, x5f2.encode(sender, shown.status(state, dict(facts))))
    assert producer.flush(10) == 0
