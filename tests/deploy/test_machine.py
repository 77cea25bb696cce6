"""Both instances, and what tells one of them of blocks, on a machine with systemd: installed by Ansible from the wheel,
from a real IOC to a real Kafka.

Two minutes, and root: `make deploy-check` runs it.
"""

import json
import re
import shutil
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
from confluent_kafka import Producer
from streaming_data_types.fbschemas.forwarder_config_update_fc00.UpdateType import UpdateType
from streaming_data_types.forwarder_config_update_fc00 import serialise_fc00

from tests.deploy.conftest import Distribution
from tests.deploy.files import DEPLOY, INSTANCES
from tests.deploy.machine import Machine
from tests.deploy.status import wait_until_it_obeys
from tests.integration.service.rig import data, stream
from tests.support.block_server import BlockServer
from tests.support.ioc import EpicsIoc
from tests.support.kafka import Broker
from tests.support.ports import LOOPBACK, free_port
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.machine, pytest.mark.timeout(600)]

DATABASE = """
record(calc, "MACHINE:COUNT") { field(SCAN, ".1 second") field(CALC, "VAL+1") }
record(calc, "MACHINE:CS:SB:COUNT") { field(SCAN, ".1 second") field(CALC, "VAL+1") }
"""
BLOCKS = "forwarder-blocks@MACHINE"
UNITS = [*(f"forwarder@{name}" for name in INSTANCES), BLOCKS]
USERS = [*(f"forwarder-{name}" for name in INSTANCES), "blocks-MACHINE"]
STATES = [*INSTANCES, "blocks-MACHINE"]

# What Channel Access's search needs of the system, tried in the unit's own sandbox before the service starts.
BROADCAST = """
import socket
from forwarder.epics.addresses import broadcast_addresses
print("broadcast addresses:", *broadcast_addresses())
with socket.socket(type=socket.SOCK_DGRAM) as hears, socket.socket(type=socket.SOCK_DGRAM) as calls:
    hears.settimeout(5)
    hears.bind(("", 0))
    calls.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
    calls.sendto(b"search", ("127.255.255.255", hears.getsockname()[1]))
    assert hears.recv(10) == b"search"
print("a broadcast is heard")
"""


def settings(broker: Broker, ioc: EpicsIoc, name: str) -> dict[str, Any]:
    """Of one instance: nothing of the profile's own clusters is left."""
    return {
        "output-broker": broker.address,
        "config-topic": f"{broker.address}/machine_{name}_config",
        "status-topic": f"{broker.address}/machine_{name}_status",
        "storage-topic": f"{broker.address}/machine_{name}_storage",
        "ca-auto-addr-list": False,
        "ca-addr-list": [ioc.ca_address],
        "pva-auto-addr-list": False,
        "http": f"{LOOPBACK}:{free_port()}",
    }


def blocks_settings(broker: Broker, server: BlockServer) -> dict[str, Any]:
    """Of the process that tells the production instance of a block; no database is there."""
    return {
        "prefix": "MACHINE:",
        "config-topic": f"{broker.address}/machine_production_config",
        "status-topic": f"{broker.address}/machine_production_status",
        "no-run-log": True,
        "database": f"{LOOPBACK}:{free_port()}",
        "ca-auto-addr-list": False,
        "ca-addr-list": [server.ca_address],
        "http": f"{LOOPBACK}:{free_port()}",
    }


class Site:
    """The machine, and Ansible on it."""

    def __init__(self, machine: Machine, files: Path, broker: Broker, ioc: EpicsIoc, server: BlockServer) -> None:
        self.machine = machine
        self.broker = broker
        self.settings = {name: settings(broker, ioc, name) for name in INSTANCES}
        self.blocks = blocks_settings(broker, server)
        self.passwords: dict[str, str] = {}
        self._files = files
        for name in INSTANCES:
            for topic in ("config", "status", "storage", "data"):
                broker.create_topic(f"machine_{name}_{topic}")
        broker.create_topic("MACHINE_sampleEnv")

    def play(self) -> Mapping[str, int]:
        """Run the playbook; how many tasks were ok, changed and so on."""
        instances = [
            {"name": name, "settings": self.settings[name], "sasl_password": self.passwords.get(name, "")}
            for name in INSTANCES
        ]
        (wheel,) = self._files.glob("*.whl")
        variables = {
            "forwarder_instances": instances,
            "forwarder_blocks": [
                {
                    "instrument": "MACHINE",
                    "settings": self.blocks,
                    "database_password": self.passwords.get("blocks", ""),
                }
            ],
            "forwarder_wheel": f"/mnt/{wheel.name}",
            "ansible_python_interpreter": "/usr/bin/python3",
            "ansible_become": False,
        }
        (self._files / "variables.json").write_text(json.dumps(variables))
        said = self.machine.run(
            *("env", "HOME=/root", "ANSIBLE_HOME=/run/ansible", "ANSIBLE_NOCOLOR=1"),
            *(str(Path(sys.executable).with_name("ansible-playbook")), str(DEPLOY / "ansible" / "site.yml")),
            *("--inventory", "/mnt/hosts.yml", "--connection", "local", "--extra-vars", "@/mnt/variables.json"),
        )
        recap = re.search(r"^forwarder\.example\.org +: (.*)$", said, re.MULTILINE)
        assert recap is not None, said
        return {key: int(number) for key, number in re.findall(r"(\w+)=(\d+)", recap[1])}

    def pids(self) -> list[str]:
        return [pid for unit in UNITS for pid in self.machine.show(unit, "MainPID")]

    def log(self, name: str) -> str:
        return self.machine.run("cat", f"/var/log/forwarder/{name}/forwarder.log")


@pytest.fixture(scope="module")
def site(distribution: Distribution, kafka_broker: Broker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    files = tmp_path_factory.mktemp("files")
    shutil.copy(distribution.wheel, files)
    shutil.copy(DEPLOY / "ansible" / "hosts.example.yml", files / "hosts.yml")
    (files / "broadcast.py").write_text(BROADCAST)
    with EpicsIoc(DATABASE) as ioc, BlockServer("MACHINE:", ["COUNT"]) as server, Machine(files) as machine:
        machine.run("mkdir", "-p", "/etc/systemd/system/forwarder@.service.d")
        try_it = "[Service]\nExecStartPre=/opt/forwarder/venv/bin/python /opt/broadcast.py\n"
        (files / "broadcast.conf").write_text(try_it)
        machine.run("cp", "/mnt/broadcast.py", "/opt/broadcast.py")
        machine.run("cp", "/mnt/broadcast.conf", "/etc/systemd/system/forwarder@.service.d/")
        yield Site(machine, files, kafka_broker, ioc, server)


def test_ansible_installs_all_and_then_has_nothing_to_do(site: Site) -> None:
    first = site.play()
    assert (first["failed"], first["changed"] > 0) == (0, True)
    pids = site.pids()
    again = site.play()
    assert (again["failed"], again["changed"]) == (0, 0)
    assert site.pids() == pids

    for user, unit in zip(USERS, UNITS, strict=True):
        state = site.machine.show(unit, "ActiveState", "UnitFileState", "NRestarts")
        assert state == ["active", "enabled", "0"]
        if unit != BLOCKS:
            journal = site.machine.run("journalctl", "--unit", unit, "--output=cat")
            assert "a broadcast is heard" in journal
        (owner,) = site.machine.run("stat", "--format=%U", f"/proc/{site.machine.show(unit, 'MainPID')[0]}").split()
        assert owner == user


def test_what_is_changed_of_one_instance_does_not_stop_the_others(site: Site) -> None:
    production, development, blocks = site.pids()
    site.passwords["development"] = "secret"
    assert site.play()["failed"] == 0
    assert (site.pids()[0], site.pids()[2]) == (production, blocks)
    assert site.pids()[1] != development
    # It runs, and so it has found the file that its settings now name.
    (variables,) = site.machine.show("forwarder@development", "Environment")
    _, _, credential = variables.partition("SASL_PASSWORD_FILE=")
    assert site.machine.run("cat", credential) == "secret"
    kept = "/etc/forwarder/development.password"
    assert site.machine.run("stat", "--format=%U %a", kept, credential) == "root 600\nforwarder-development 400\n"


@pytest.mark.parametrize("name", INSTANCES)
def test_it_forwards_in_its_sandbox(site: Site, name: str) -> None:
    topic = f"machine_{name}_data"
    producer = Producer({"bootstrap.servers": site.broker.address})
    wait_until_it_obeys(site.broker, f"machine_{name}_status")
    order = serialise_fc00(UpdateType.ADD, [stream("MACHINE:COUNT", topic)])  # pyright: ignore[reportArgumentType]
    producer.produce(f"machine_{name}_config", order)
    assert producer.flush(10) == 0
    counts = data(site.broker, topic, lambda found: len(found.values) > 10).values
    assert counts == [counts[0] + number for number in range(len(counts))]
    with urlopen(f"http://{site.settings[name]['http']}/ready", timeout=10) as answer:
        assert answer.status == 200


def test_blocks_is_given_the_databases_password_and_nothing_is_left_of_it_when_it_is_not_wanted(site: Site) -> None:
    production, development, blocks = site.pids()
    kept = "/etc/forwarder/blocks-MACHINE.database-password"
    site.passwords["blocks"] = "secret"
    assert site.play()["failed"] == 0
    assert site.pids()[:2] == [production, development]
    assert site.pids()[2] != blocks
    (variables,) = site.machine.show(BLOCKS, "Environment")
    _, _, credential = variables.partition("FORWARDER_DATABASE_PASSWORD_FILE=")
    assert site.machine.run("cat", credential) == "secret"
    assert site.machine.run("stat", "--format=%U %a", kept, credential) == "root 600\nblocks-MACHINE 400\n"
    del site.passwords["blocks"]
    assert site.play()["failed"] == 0
    assert site.machine.try_to_run("stat", kept).returncode != 0
    assert site.machine.show(BLOCKS, "Environment") == [""]


def test_what_blocks_tells_in_its_sandbox_is_forwarded(site: Site) -> None:
    counts = data(site.broker, "MACHINE_sampleEnv", lambda found: len(found.values) > 10).values
    assert counts == [counts[0] + number for number in range(len(counts))]
    with urlopen(f"http://{site.blocks['http']}/metrics", timeout=10) as answer:
        said = answer.read().decode().splitlines()
    assert {"forwarder_blocks_served_streams 1.0", "forwarder_blocks_missing_streams 0.0"} <= set(said)
    assert site.machine.run("ls", "/var/lib/private/forwarder/blocks-MACHINE") == "announced.json\n"
    assert "instrument MACHINE" in site.machine.run("cat", "/var/log/forwarder/blocks-MACHINE/blocks.log")


def test_systemd_ends_blocks_and_starts_it_again_when_it_hangs(site: Site) -> None:
    (pid,) = site.machine.show(BLOCKS, "MainPID")
    site.machine.run("kill", "-STOP", pid)
    wait_until(lambda: site.machine.show(BLOCKS, "NRestarts") != ["0"], 90, what="the watchdog has bitten")
    wait_until(lambda: site.machine.show(BLOCKS, "ActiveState") == ["active"], what="it is ready again")
    assert site.machine.show(BLOCKS, "MainPID") != [pid]


def test_a_reload_reads_the_levels_of_the_log_again(site: Site) -> None:
    machine = site.machine
    machine.run("sh", "-c", "echo 'verbosity = \"Debug\"' >>/etc/forwarder/production.toml")
    before = site.pids()
    machine.run("systemctl", "reload", "forwarder@production")
    said = "the settings have been read again; the log has the level DEBUG"
    wait_until(lambda: said in site.log("production"), what="the new level is told")
    assert site.pids() == before


def test_a_stop_is_in_order_and_the_state_stays(site: Site) -> None:
    machine = site.machine
    machine.run("systemctl", "stop", *UNITS)
    for name, unit in zip(STATES, UNITS, strict=True):
        assert machine.show(unit, "ActiveState", "Result", "ExecMainStatus") == ["inactive", "success", "0"]
        kept = "announced.json" if unit == BLOCKS else "spool"
        assert kept in machine.run("ls", f"/var/lib/private/forwarder/{name}")
        assert machine.run("stat", "--format=%a", f"/var/lib/private/forwarder/{name}") == "700\n"


def test_a_wrong_setting_ends_it_for_good_with_one_line(site: Site) -> None:
    machine = site.machine
    machine.run("sh", "-c", "echo 'status-interval = \"soon\"' >>/etc/forwarder/development.toml")
    machine.try_to_run("systemctl", "start", "forwarder@development")
    properties = machine.show("forwarder@development", "ActiveState", "ExecMainStatus", "NRestarts")
    assert properties == ["failed", "2", "0"]
    journal = machine.run("journalctl", "--unit=forwarder@development", "--output=cat", "--lines=10")
    assert 'forwarder: status-interval: "soon" from development.toml' in journal
