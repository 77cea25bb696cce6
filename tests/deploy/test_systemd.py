"""The units, as systemd itself judges them without running them."""

import subprocess
import sys
from pathlib import Path

import pytest

from forwarder.heartbeat import PATIENCE_S
from tests.deploy.files import DEPLOY, INSTANCES, LONGEST_STOP_S, shown_settings
from tests.deploy.units import read_unit, seconds

SYSTEMD = DEPLOY / "systemd"
UNIT, BLOCKS = SYSTEMD / "forwarder@.service", SYSTEMD / "forwarder-blocks@.service"
EXAMPLES = {UNIT: "production", BLOCKS: "LARMOR"}
of_every_unit = pytest.mark.parametrize("unit", EXAMPLES, ids=lambda unit: unit.stem)
INSTALLED = "/opt/forwarder/venv/bin/forwarder"
MOST_EXPOSED = 2.0

_DONE_WITHIN_S = 30.0


def analyze(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = ["systemd-analyze", "--no-pager", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=_DONE_WITHIN_S, check=False)


@pytest.fixture
def instance(unit: Path, tmp_path: Path) -> Path:
    """The unit of an instance, with a program that is here."""
    path = tmp_path / unit.name.replace("@", f"@{EXAMPLES[unit]}")
    text = unit.read_text()
    assert INSTALLED in text
    path.write_text(text.replace(INSTALLED, sys.executable))
    return path


@of_every_unit
def test_systemd_understands_every_line(instance: Path) -> None:
    done = analyze("verify", str(instance))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@of_every_unit
def test_little_of_the_machine_is_exposed(instance: Path) -> None:
    done = analyze("security", "--offline=true", f"--threshold={MOST_EXPOSED * 10:.0f}", str(instance))
    assert done.returncode == 0, done.stdout[-500:]


@of_every_unit
def test_the_threshold_would_be_missed_without_the_hardening(instance: Path) -> None:
    instance.write_text("\n".join(line for line in instance.read_text().splitlines() if "=yes" not in line))
    assert analyze("security", "--offline=true", f"--threshold={MOST_EXPOSED * 10:.0f}", str(instance)).returncode != 0


@of_every_unit
def test_nothing_cuts_it_off_from_the_network(unit: Path) -> None:
    lines = read_unit(unit)
    cutting = {"PrivateNetwork", "NetworkNamespacePath", "RestrictNetworkInterfaces", "IPAddressDeny", "SocketBindDeny"}
    assert not cutting & lines.keys()
    # Without netlink there would be no broadcast addresses, and without AF_UNIX no READY=1.
    assert set(lines["RestrictAddressFamilies"][0].split()) >= {"AF_INET", "AF_NETLINK", "AF_UNIX"}


@of_every_unit
def test_systemd_waits_longer_than_the_longest_stop_and_is_more_patient_than_the_service(unit: Path) -> None:
    lines = read_unit(unit)
    assert seconds(lines["TimeoutStopSec"][0]) > LONGEST_STOP_S
    assert seconds(lines["WatchdogSec"][0]) > PATIENCE_S
    # systemd tells a service of its watchdog, and waits for a word of it, where this is so.
    assert lines["Type"] == ["notify"]


def test_blocks_is_shut_in_as_the_forwarder_is_and_shares_nothing_that_is_written() -> None:
    run, blocks = read_unit(UNIT), read_unit(BLOCKS)
    # Many IOCs, where blocks has one or two to talk to.
    assert run.keys() ^ blocks.keys() == {"LimitNOFILE"}
    own = {name for name in blocks if blocks[name] != run[name]}
    assert own == {
        *("Description", "ExecStart", "EnvironmentFile", "RestartPreventExitStatus"),
        *("User", "StateDirectory", "LogsDirectory"),
    }


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


def test_blocks_understands_its_command_line_and_the_example_of_its_settings(tmp_path: Path) -> None:
    (command,) = read_unit(BLOCKS)["ExecStart"]
    program, *arguments = command.replace("%i", "LARMOR").replace("${LOGS_DIRECTORY}", str(tmp_path)).split()
    assert program == INSTALLED
    arguments = [text.replace("/etc/forwarder", str(DEPLOY / "config")) for text in arguments]
    settings = shown_settings(arguments, {"STATE_DIRECTORY": "/var/lib/forwarder/state"})
    assert (settings["profile"], settings["instrument"], settings["prefix"]) == ("production", "LARMOR", "IN:LARMOR:")
    assert settings["config-topic"] == "LARMOR_forwarderConfig"
    assert settings["state-directory"] == "/var/lib/forwarder/state"
    assert settings["log-file"] == str(tmp_path / "blocks.log")


def test_the_databases_password_given_as_a_credential_is_a_setting(tmp_path: Path) -> None:
    (variable,) = read_unit(SYSTEMD / "database-password.conf")["Environment"]
    name, _, value = variable.partition("=")
    (tmp_path / "database-password").write_text("secret")
    settings = shown_settings(
        ["blocks", "--instrument", "LARMOR", "--prefix", "IN:LARMOR:"], {name: value.replace("%d", str(tmp_path))}
    )
    assert settings["database-password-file"] == str(tmp_path / "database-password")


def test_a_password_given_as_a_credential_is_a_setting(tmp_path: Path) -> None:
    (variable,) = read_unit(SYSTEMD / "password.conf")["Environment"]
    name, _, value = variable.partition("=")
    (tmp_path / "sasl-password").write_text("secret")
    address = r"SASL_PLAINTEXT+PLAIN\user@127.0.0.1:1"
    settings = shown_settings(
        ["run", "--output-broker", address, "--config-topic", f"{address}/config"],
        {name: value.replace("%d", str(tmp_path))},
    )
    assert settings["sasl-password-file"] == str(tmp_path / "sasl-password")
