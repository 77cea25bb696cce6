"""`forwarder streams` with a real forwarder at the other end."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.integration.cli.rig import Site, command, say
from tests.support.consume import consume
from tests.support.forwarder_process import ForwarderProcess, Topics
from tests.support.kafka import Broker
from tests.support.waiting import wait_until

Unique = Callable[[str], str]
FAKE = ("--protocol", "fake", "--topic", "CLI_sampleEnv")


def test_what_is_added_is_listed_and_forwarded(site: Site) -> None:
    added = site.command("streams", "add", "CLI:WARM", "CLI:NONE", "--topic", "CLI_sampleEnv", "--schema", "f142")
    assert added.code == 0, added.err
    assert [line.split() for line in added.lines] == [
        ["PV", "schema", "topic", "protocol"],
        ["+", "CLI:WARM", "f142", "CLI_sampleEnv", "ca"],
        ["+", "CLI:NONE", "f142", "CLI_sampleEnv", "ca"],
    ]
    assert added.err == "cli forwards 2 streams\n"
    listed = site.command("streams", "list")
    assert (listed.code, listed.column(0)) == (0, ["CLI:WARM", "CLI:NONE"])
    assert "cli: forwarder" in listed.err
    assert listed.err.endswith("2 streams\n")
    records = consume(site.broker.address, "CLI_sampleEnv", lambda found: any(r.key == b"CLI:WARM" for r in found))
    assert records


def test_what_is_there_already_is_confirmed_too(site: Site) -> None:
    for _ in range(2):
        said = site.command("streams", "add", "A", *FAKE)
        assert said.code == 0
    assert "nothing had to be changed" in said.err


def test_lists_go_out_and_in_again(site: Site, tmp_path: Path) -> None:
    lines = "A\nB f142\nC f144 CLI_sampleEnv ca yes\n"
    assert site.command("streams", "add", "--file", "-", *FAKE, stdin=lines).code == 0
    for form in ("csv", "json"):
        written = tmp_path / form
        written.write_text(site.command("streams", "list", "C", "B", "--format", form, "--schema", "f144").out)
        replaced = site.command("streams", "replace", "--file", str(written), "--yes")
        if form == "csv":
            assert (replaced.code, site.command("streams", "list").column(0)) == (0, ["C"])
    assert json.loads(written.read_text())["streams"][0]["channel"] == "C"


def test_csv_has_what_only_the_storage_topic_says(site: Site) -> None:
    """Else a list that goes out and in again would end the repeats of periodic streams."""
    assert site.command("streams", "add", "A", "--periodic", *FAKE).code == 0
    with_storage = site.command("streams", "list", "--format", "csv")
    assert with_storage.lines == ["channel,schema,topic,protocol,periodic", "A,f144,CLI_sampleEnv,fake,yes"]
    without = command(
        "streams", "list", "--format", "csv", "--config-topic", f"{site.broker.address}/CLI_forwarderConfig",
        "--status-topic", "CLI_forwarderStatus",
    )  # fmt: skip
    assert without.lines == ["channel,schema,topic,protocol", "A,f144,CLI_sampleEnv,fake"]
    assert "warning: which streams are periodic is not known: no storage-topic is given" in without.err


def test_removing_by_wildcard_schema_and_topic(site: Site) -> None:
    assert site.command("streams", "add", "A1", "A2", "B1", *FAKE).code == 0
    one = site.command("streams", "remove", "A1")
    assert (one.code, [line.split()[:2] for line in one.lines[1:]]) == (0, [["-", "A1"]])
    assert site.command("streams", "remove", "?2", "--schema", "f142", "--yes").err.startswith("nothing had to be")
    assert site.command("streams", "remove", "--topic", "CLI_*", "--schema", "f144", "--yes").code == 0
    assert site.command("streams", "list").lines == []


@pytest.mark.parametrize("closing", [("clear",), ("remove", "*"), ("replace", "C", *FAKE)], ids=lambda words: words[0])
def test_many_streams_are_not_closed_by_a_slip(site: Site, closing: tuple[str, ...]) -> None:
    assert site.command("streams", "add", "A", "B", *FAKE).code == 0
    said = site.command("streams", *closing)
    assert said.code == 2
    assert said.err == "forwarder: this closes 2 of 2 streams, and nobody can be asked: give --yes\n"
    assert site.command("streams", "list").column(0) == ["A", "B"]


def test_what_the_forwarder_refuses_is_told_with_its_reason(site: Site) -> None:
    said = site.command("streams", "add", "A", "--topic", "CLI_forwarderStatus", "--protocol", "fake")
    assert said.code == 4
    assert "A: the topic CLI_forwarderStatus is one that the forwarder itself talks through" in said.err
    assert "nothing had to be changed" not in said.err


def test_a_topic_that_is_missing_is_not_forwarded_to_silently(site: Site, unique: Unique) -> None:
    topic = unique("missing")
    to_it = ("streams", "add", "A", "--topic", topic, "--protocol", "fake", "--create-topics", "no")
    said = site.command(*to_it)
    assert said.code == 1
    assert f"forwarder: {topic} of {site.broker.address}: no such topic, and nothing would arrive" in said.err
    assert site.command("streams", "list").lines == []
    assert site.command(*to_it, "--missing-topics").code == 0

    def verdicts() -> set[str]:
        found = map(json.loads, site.command("check", "--json").lines)
        return {each["verdict"] for each in found if each["subject"] == topic}

    assert wait_until(lambda: "failed" in verdicts())
    site.broker.create_topic(topic)
    assert wait_until(lambda: verdicts() == {"ok"})


def test_a_profile_s_forwarder_has_one_status_topic_for_all_instruments(kafka_broker: Broker) -> None:
    topics = Topics("forwarder_config", "forwarder_status", "forwarder_storage")
    for topic in (topics.config, topics.status, topics.storage, "NEW_forwarderConfig", "NEW_sampleEnv"):
        assert topic is not None
        kafka_broker.create_topic(topic)
    second = f"{kafka_broker.address}/NEW_forwarderConfig"
    with ForwarderProcess(kafka_broker.address, topics, service_id="all", flags=["--config-topic", second]):
        of_new = ("--instrument", "NEW", "--profile", "production", "--output-broker", kafka_broker.address)
        added = command("streams", "add", "A", "--topic", "NEW_sampleEnv", "--protocol", "fake", *of_new)
        assert added.code == 0, added.err
        assert [line.split()[0] for line in command("streams", "list", *of_new).lines[1:]] == ["A"]


def test_the_old_dialect(site: Site) -> None:
    json_too = ("--dialect", "json")
    added = site.command("streams", "add", "A", "B", "--topic", "CLI_sampleEnv", "--schema", "tdct", *json_too)
    assert added.code == 0, added.err
    assert site.command("streams", "remove", "A", "B", *json_too, "--yes").code == 0
    assert site.command("streams", "list").lines == []
    assert site.command("streams", "remove", "A*", *json_too).err == (
        "forwarder: JSON can only remove a channel by its name: no wildcards, no schema and no topic\n"
    )


def test_a_list_that_is_too_long_for_the_status(site: Site) -> None:
    names = "\n".join(f"{number:04}:" + "x" * 700 for number in range(1500))
    added = site.command("streams", "add", "--file", "-", "--topic", "CLI_sampleEnv", "--timeout", "30", stdin=names)
    assert (added.code, added.err) == (0, "cli forwards 1500 streams\n")
    listed = site.command("streams", "list", "0007:*", "--storage-topic", "CLI_forwarderStorage")
    assert len(listed.lines) == 2
    assert listed.err.endswith("1 of 1500 streams, from the storage topic\n")
    nowhere = command(
        "streams", "list", "--config-topic", f"{site.broker.address}/CLI_forwarderConfig",
        "--status-topic", "CLI_forwarderStatus",
    )  # fmt: skip
    assert (nowhere.code, nowhere.out) == (1, "")
    assert "no storage-topic is given to read the 1500 streams of its status from" in nowhere.err
    cleared = site.command("streams", "clear")
    assert "this closes 1500 of 1500 streams" in cleared.err


def test_without_a_forwarder_nothing_is_confirmed(site: Site, unique: Unique) -> None:
    config, status = unique("config"), unique("status")
    for topic in (config, status):
        site.broker.create_topic(topic)
    where = ("--config-topic", f"{site.broker.address}/{config}", "--status-topic", status)
    said = command("streams", "add", "A", *FAKE, *where, "--timeout", "1")
    assert said.code == 3
    assert said.err == (
        f"sent to {config}[0]@0, but not confirmed within 1 s: no such forwarder has ever sent a status there\n"
    )
    assert command("streams", "add", "A", *FAKE, *where[:2], "--timeout", "0").code == 0
    assert len(consume(site.broker.address, config, 2)) == 2
    listed = command("streams", "list", *where)
    assert listed.code == 1
    assert listed.err == f"forwarder: the status topic {status} holds no status of a forwarder that reads {config}\n"
    named = command("streams", "list", *where, "--service-id", "other")
    assert named.err.endswith(f"{status} holds no status of a forwarder with the service id other\n")


def test_several_forwarders_are_told_apart(site: Site, unique: Unique) -> None:
    status = unique("status")
    site.broker.create_topic(status)
    where = ("streams", "list", "--status-topic", status)
    say(site, status, "one")
    assert "one: forwarder 0 on host, running" in site.command(*where).err
    say(site, status, "two")
    both = site.command(*where)
    assert both.code == 1
    assert both.err.endswith("forwarders read CLI_forwarderConfig: one, two; choose one with --service-id\n")
    assert "two: forwarder" in site.command(*where, "--service-id", "two").err
    say(site, status, "one", "stopped")
    assert "two: forwarder" in site.command(*where).err


def test_a_forwarder_that_has_stopped_confirms_nothing(site: Site, unique: Unique) -> None:
    config, status = unique("config"), unique("status")
    for topic in (config, status):
        site.broker.create_topic(topic)
    say(site, status, "gone", "stopped")
    where = ("--status-topic", status, "--service-id", "gone")
    assert "stopped, silent since then" in site.command("streams", "list", *where).err
    said = site.command("streams", "add", "A", *FAKE, *where, "--config-topic", config, "--timeout", "0.5")
    assert said.code == 3
    assert said.err.endswith("not confirmed within 0.5 s: gone has said nothing since\n")


WRONG = {
    "a schema": (("add", "A", *FAKE, "--schema", "f124"), "A: no schema 'f124'; did you mean \"f144\"?"),
    "no topic": (("add", "A"), "A: no topic is given: --topic, or one with the PV in a file"),
    "no PV": (("add", "--topic", "T"), "no streams are given: a PV, or --file with some in it"),
    "nothing to remove": (("remove",), "nothing says what to remove: a PV, --file, --schema or --topic"),
    "a file": (("add", "--file", "/nowhere/list"), "No such file or directory"),
    "a line of a file": (("add", "--file", __file__, "--topic", "T"), f"{__file__}: line 1: "),
    "a file of bytes": (("add", "--file", sys.executable, "--topic", "T"), f"{sys.executable}: it is not UTF-8"),
    "replace in JSON": (("replace", "A", *FAKE, "--dialect", "json"), "JSON has no word for replace"),
}


@pytest.mark.parametrize(("arguments", "complaint"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_one_line_and_exit_code_2(arguments: tuple[str, ...], complaint: str) -> None:
    said = command("streams", *arguments, "--instrument", "X", "--output-broker", "127.0.0.1:1")
    assert (said.code, said.out) == (2, "")
    assert complaint in said.err
    assert said.err.count("\n") == 1


def test_a_broker_that_is_away_is_named() -> None:
    said = command("streams", "list", "--instrument", "X", "--output-broker", "127.0.0.1:1")
    assert (said.code, said.out) == (1, "")
    assert said.err.startswith("forwarder: broker 127.0.0.1:1: ")
