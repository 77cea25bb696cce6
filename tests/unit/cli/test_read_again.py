"""What SIGHUP does to a running service's settings: levels are taken, all else is only told."""

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from forwarder.cli.read_again import ReadAgain
from forwarder.observe import logs
from forwarder.settings.load import Reading, read

SECRETS = {"SASL_PASSWORD": "correct-horse"}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (file := tmp_path / "forwarder.ini").write_text("verbosity=Warning\nlinger=5\n")
    return file


@pytest.fixture
def again(file: Path) -> Iterator[ReadAgain]:
    def read_all() -> Reading:
        return read({"config-file": [str(file)]}, SECRETS)

    reading = read_all()
    with logs.set_up(reading.settings.log, {}) as running:
        yield ReadAgain(reading, read_all, running)


def test_levels_are_taken_and_the_rest_needs_a_restart(
    file: Path, again: ReadAgain, caplog: pytest.LogCaptureFixture
) -> None:
    file.write_text("verbosity=Info\nlog-level=forwarder.kafka=Trace\nlinger=7\nmax-streams=9\nlog-format=json\n")
    again()
    assert logging.getLogger().level == logging.INFO
    assert logging.getLogger("forwarder.kafka.sender").getEffectiveLevel() == logs.TRACE
    assert caplog.messages == [
        "the settings have been read again; the log has the level INFO, forwarder.kafka TRACE",
        "changed in the settings, and without effect until a restart: max-streams, linger, log-format",
    ]
    caplog.clear()
    file.write_text("verbosity=Info\nlinger=5\n")
    again()
    assert logging.getLogger("forwarder.kafka").level == logging.NOTSET
    assert caplog.messages == ["the settings have been read again; the log has the level INFO"]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("verbosity=Loud\n", 'verbosity: "Loud" from forwarder.ini line 1 is not a level'),
        ("log-level=x\n", 'log-level: "x" from forwarder.ini line 1 is not NAME=LEVEL'),
        ("verbositty=Debug\n", 'forwarder.ini line 1: unknown setting "verbositty"; did you mean "verbosity"?'),
        (None, "is not a file that exists"),
    ],
)
def test_wrong_settings_change_nothing(
    text: str | None, complaint: str, file: Path, again: ReadAgain, caplog: pytest.LogCaptureFixture
) -> None:
    file.unlink() if text is None else file.write_text(text)
    again()
    (message,) = caplog.messages
    assert message.startswith("the settings have been read again and stay as they were: ")
    assert complaint in message
    assert logging.getLogger().level == logging.WARNING


def test_a_warning_is_not_repeated_and_no_password_is_told(
    file: Path, again: ReadAgain, caplog: pytest.LogCaptureFixture
) -> None:
    file.write_text("verbosity=Info\nlinger=5\nsasl-password=battery-staple\nconversion-threads=4\n")
    again()
    again()
    assert caplog.text.count("conversion-threads: forwarder.ini line 4 changes nothing here") == 1
    # The variable counts before the file.
    assert "without effect" not in caplog.text
    assert "horse" not in caplog.text
    assert "staple" not in caplog.text
