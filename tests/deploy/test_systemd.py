"""The unit, as systemd itself judges it without running it."""

import subprocess
import sys
from pathlib import Path

import pytest

from forwarder.heartbeat import PATIENCE_S
from tests.deploy.files import DEPLOY, INSTANCES, LONGEST_STOP_S, shown_settings
from tests.deploy.units import read_unit, seconds

UNIT = DEPLOY / "systemd" / "forwarder@.service"
INSTALLED = "/opt/forwarder/venv/bin/forwarder"
MOST_EXPOSED = 2.0

_DONE_WITHIN_S = 30.0


def analyze(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = ["systemd-analyze", "--no-pager", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=_DONE_WITHIN_S, check=False)


@pytest.fixture
def instance(tmp_path: Path) -> Path:
    """The unit of the production instance, with a program that is here."""
    path = tmp_path / "forwarder@production.service"
    text = UNIT.read_text()
    assert INSTALLED in text
    path.write_text(text.replace(INSTALLED, sys.executable))
    return path


def test_systemd_understands_every_line(instance: Path) -> None:
    done = analyze("verify", str(instance))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_little_of_the_machine_is_exposed(instance: Path) -> None:
    done = analyze("security", "--offline=true", f"--threshold={MOST_EXPOSED * 10:.0f}", str(instance))
    assert done.returncode == 0, done.stdout[-500:]


def test_the_threshold_would_be_missed_without_the_hardening(instance: Path) -> None:
    instance.write_text("\n".join(line for line in instance.read_text().splitlines() if "=yes" not in line))
    assert analyze("security", "--offline=true", f"--threshold={MOST_EXPOSED * 10:.0f}", str(instance)).returncode != 0


def test_nothing_cuts_it_off_from_the_network() -> None:
    unit = read_unit(UNIT)
    cutting = {"PrivateNetwork", "NetworkNamespacePath", "RestrictNetworkInterfaces", "IPAddressDeny", "SocketBindDeny"}
    assert not cutting & unit.keys()
    # Without netlink there would be no broadcast addresses, and without AF_UNIX no READY=1.
    assert set(unit["RestrictAddressFamilies"][0].split()) >= {"AF_INET", "AF_NETLINK", "AF_UNIX"}


def test_systemd_waits_longer_than_the_longest_stop_and_is_more_patient_than_the_service() -> None:
    unit = read_unit(UNIT)
    assert seconds(unit["TimeoutStopSec"][0]) > LONGEST_STOP_S
    assert seconds(unit["WatchdogSec"][0]) > PATIENCE_S


@pytest.mark.parametrize("name", INSTANCES)
def test_the_forwarder_understands_its_command_line_and_settings(name: str, tmp_path: Path) -> None:
    (command,) = read_unit(UNIT)["ExecStart"]
    program, *arguments = command.replace("%i", name).replace("${LOGS_DIRECTORY}", str(tmp_path)).split()
    assert program == INSTALLED
    arguments = [text.replace("/etc/forwarder", str(DEPLOY / "config")) for text in arguments]
    # As systemd sets it for StateDirectory=.
    settings = shown_settings(arguments, {"STATE_DIRECTORY": "/var/lib/forwarder/state"})
    assert settings["profile"] == name
    assert settings["state-directory"] == "/var/lib/forwarder/state"
    assert settings["log-file"] == str(tmp_path / "forwarder.log")


def test_a_password_given_as_a_credential_is_a_setting(tmp_path: Path) -> None:
    (variable,) = read_unit(DEPLOY / "systemd" / "password.conf")["Environment"]
    name, _, value = variable.partition("=")
    (tmp_path / "sasl-password").write_text("secret")
    address = r"SASL_PLAINTEXT+PLAIN\user@127.0.0.1:1"
    settings = shown_settings(
        ["run", "--output-broker", address, "--config-topic", f"{address}/config"],
        {name: value.replace("%d", str(tmp_path))},
    )
    assert settings["sasl-password-file"] == str(tmp_path / "sasl-password")
