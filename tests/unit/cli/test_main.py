"""The command `forwarder` as a user types it: what starts, what is said, and the exit code."""

import logging
import sys
from pathlib import Path
from types import ModuleType

import pytest

from forwarder import __version__
from forwarder.cli import main
from forwarder.settings.table import SETTINGS
from forwarder.settings.types import Settings


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for setting in SETTINGS:
        for variable in setting.variables:
            monkeypatch.delenv(variable, raising=False)


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[Settings]:
    """The settings of every service that was started instead of the real one, which ends with code 7."""
    seen: list[Settings] = []

    def service_main(settings: Settings) -> int:
        seen.append(settings)
        logging.getLogger("forwarder.stub").warning("serving")
        return 7

    stub = ModuleType("forwarder.service")
    stub.main = service_main  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "forwarder.service", stub)
    return seen


def code_of(*arguments: str) -> object:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    return caught.value.code


OLD = {
    "C++": "--config-topic //b:9092/T_forwarderConfig --status-topic //b:9092/T_forwarderStatus "
    "--streams-json {file} --log-file {log} -v Error --pv-update-period 10000",
    "C++ without slashes": "--config-topic b:9092/c --status-topic b:9092/s --verbosity=Trace --fake-pv-period=0",
    "C++ with all its flags": "--config-topic //b/c --graylog-logger-address localhost:12201 -v 3 "
    "--influx-url http://i --kafka-gelf //b/logs --conversion-threads 4 "
    "--conversion-worker-queue-size 1024 --main-poll-interval 500 "
    "-S consumer.timeout.ms 501 fetch.message.max.bytes 1234 api.version.request true",
    "C++ by file": "--config-file {ini}",
    "C++ before 2018": "--broker localhost:9092 --broker-config //localhost:9092/c --status-uri //localhost:9092/s",
    "ESS": "--config-topic some_server:9092/some_config_topic --status-topic some_server:9092/some_status_topic "
    "--output-broker some_other_server:9092",
    "ESS with all its flags": r"--config-topic SASL_SSL+SCRAM-SHA-256\me@b:9093/c --config-topic-sasl-password a "
    r"--status-topic SASL_SSL+SCRAM-SHA-256\me@b:9093/s --status-topic-sasl-password b "
    r"--output-broker SASL_PLAINTEXT+PLAIN\me@b:9093,c:9093 --output-broker-sasl-password c "
    r"--storage-topic SASL_SSL+SCRAM-SHA-512\me@b:9093/t --storage-topic-sasl-password d --ssl-ca-cert-file {file} "
    "-s --graylog-logger-address g:12201 --grafana-carbon-address g:2003 --statistics-update-interval 10 "
    "--log-file {log} --pv-update-period 1000 --service-id me --fake-pv-period 1000 -v Critical",
    "ESS by file": "-c {conf} --skip-retrieval",
}


@pytest.mark.parametrize("run", [[], ["run"]], ids=["bare", "run"])
@pytest.mark.parametrize("line", OLD.values(), ids=OLD)
def test_an_old_command_line_starts_the_service(
    line: str, run: list[str], started: list[Settings], tmp_path: Path
) -> None:
    paths = {name: tmp_path / f"f.{name}" for name in ("file", "log", "ini", "conf")}
    paths["file"].write_text('{"streams": []}')
    paths["ini"].write_text(
        "config-topic=//b:9092/the_config_topic\nstatus-topic=//b:9092/the_status_topic\n"
        f"streams-json={paths['file']}\nkafka-config=consumer.timeout.ms 501 api.version.request true\nverbosity=5\n"
    )
    paths["conf"].write_text(
        "config-topic=localhost:9092/c\nstatus-topic=localhost:9092/s\noutput-broker=localhost:9092\n"
        "pv-update-period=1000\n"
    )
    assert code_of(*run, *(word.format(**paths) for word in line.split())) == 7
    assert len(started) == 1
    assert started[0].config_topics[0].topic


def test_what_was_given_arrives(started: list[Settings]) -> None:
    assert code_of("--config-topic", "a/t", "--config-topic", "b/u", "-s", "-v", "Debug", "--pv-update-period=5") == 7
    settings = started[0]
    assert [topic.topic for topic in settings.config_topics] == ["t", "u"]
    assert settings.skip_retrieval
    assert settings.log.level == logging.DEBUG
    assert settings.repeat_period_s == 0.005


def test_the_environment_alone_starts_the_service(started: list[Settings], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONFIG_TOPIC", "b/t")
    assert code_of() == 7
    assert started[0].config_topics[0].topic == "t"


WRONG = {
    "a value": (
        ["run", "--status-interval", "abc"],
        'status-interval: "abc" from the flag --status-interval is not a number of milliseconds; '
        "allowed: a whole number from 100 to 3600000",
    ),
    "an unknown flag": (["--confg-topic", "b/t"], 'unknown flag --confg-topic; did you mean "--config-topic"?'),
    "an unknown command": (["rnu"], "no such command 'rnu'."),
    "no value": (["run", "--config-topic"], "option '--config-topic' requires an argument."),
    "one too many": (["run", "-s", "on"], "got unexpected extra argument (on)"),
    "half a secret": (
        ["run", "--sasl-password", "correct", "horse"],
        "the command line has an argument too many, after one with a password",
    ),
    "a log file": (
        ["run", "--log-file", "/nowhere/f.log"],
        'log-file: "/nowhere/f.log" cannot be written: No such file or directory; '
        "allowed: a file in a folder that exists and may be written",
    ),
}


@pytest.mark.parametrize(("arguments", "line"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_one_line_and_exit_code_2(
    arguments: list[str], line: str, started: list[Settings], capsys: pytest.CaptureFixture[str]
) -> None:
    assert code_of(*arguments) == 2
    said = capsys.readouterr()
    assert said.err == f"forwarder: {line}\n"
    assert said.out == ""
    assert not started


def test_settings_are_shown_with_their_sources_and_without_secrets(
    monkeypatch: pytest.MonkeyPatch, started: list[Settings], capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("OUTPUT_BROKER_SASL_PASSWORD", "hunter2")
    assert code_of("run", "--show-settings", "--output-broker", r"SASL_SSL+PLAIN\me@b:1", "-S", "foo.bar", "1") == 0
    said = capsys.readouterr()
    lines = {line.split()[0]: line.split("=", 1)[1] for line in said.out.splitlines()}
    assert lines["output-broker"] == r" SASL_SSL+PLAIN\me@b:1  (the flag --output-broker)"
    assert lines["output-broker-sasl-password"] == " ***  (the environment variable OUTPUT_BROKER_SASL_PASSWORD)"
    assert lines["status-interval"] == " 4000  (the default)"
    assert lines["create-topics"] == " yes  (the profile local)"
    assert said.err == "warning: kafka-config: foo.bar from the flag --kafka-config has no meaning here\n"
    assert "hunter2" not in said.out + said.err
    assert not started


def test_warnings_are_logged_and_a_password_never(
    started: list[Settings], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    log = tmp_path / "f.log"
    user = r"SASL_SSL+PLAIN\me@b:1/t"
    code_of("--config-topic", user, "--config-topic-sasl-password", "hunter2", "-v", "Trace", "--log-file", str(log))
    for text in (capsys.readouterr().err, log.read_text()):
        assert "shows the password to everybody on this machine" in text
        assert "WARNING forwarder.stub: serving" in text
        assert "hunter2" not in text


def test_the_help_of_run_has_every_setting(capsys: pytest.CaptureFixture[str]) -> None:
    assert code_of("run", "--help") == 0
    said = capsys.readouterr().out
    for setting in SETTINGS:
        assert f"--{setting.name}" in said
        assert setting.variables[-1] in said
    assert "--status-uri" not in said


@pytest.mark.parametrize("arguments", [["--version"], ["run", "--version"], ["--config-topic", "b/t", "--version"]])
def test_the_version(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert code_of(*arguments) == 0
    assert capsys.readouterr().out == f"forwarder {__version__}\n"


def test_the_demo_is_given_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    stub = ModuleType("forwarder.demo")
    seconds: list[float | None] = []
    stub.main = lambda given: seconds.append(given) or 0  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "forwarder.demo", stub)
    assert code_of("demo", "--seconds", "1.5") == 0
    assert seconds == [1.5]
