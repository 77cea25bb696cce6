"""The image: built, and run as it should be, on a Debian of this machine's own making where no registry is asked.

Two minutes, and root: `make deploy-check` runs it.
"""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from confluent_kafka import Producer
from streaming_data_types.fbschemas.forwarder_config_update_fc00.UpdateType import UpdateType
from streaming_data_types.forwarder_config_update_fc00 import serialise_fc00

from tests.deploy.files import DEPLOY, REPOSITORY
from tests.deploy.status import wait_until_it_obeys
from tests.integration.service.rig import data, stream
from tests.support.ioc import EpicsIoc
from tests.support.kafka import Broker
from tests.support.ports import LOOPBACK, free_port
from tests.support.processes import spawn

pytestmark = [pytest.mark.machine, pytest.mark.timeout(600)]

DATABASE = 'record(calc, "IMAGE:COUNT") { field(SCAN, ".1 second") field(CALC, "VAL+1") }'
IMAGE, BASE = "localhost/forwarder", "localhost/base"

_DONE_WITHIN_S = 400.0
_STOPPED_WITHIN_S = 60.0
# How this machine reaches its package index.
_OF_PIP = [Path("/etc/pip.conf"), Path("/etc/ssl/certs")]


class Podman:
    """With a store of its own."""

    def __init__(self, folder: Path) -> None:
        places = ("--root", str(folder / "store"), "--runroot", str(folder / "run"), "--tmpdir", str(folder / "tmp"))
        self.command = ["podman", *places, "--cgroup-manager=cgroupfs", "--runtime=runc"]

    def __call__(self, *arguments: str) -> str:
        done = self.try_to(*arguments)
        assert done.returncode == 0, f"podman {arguments} ended with {done.returncode}:\n{done.stdout}{done.stderr}"
        return done.stdout

    def try_to(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [*self.command, *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=_DONE_WITHIN_S, check=False)


@pytest.fixture(scope="module")
def podman() -> Iterator[Podman]:
    """With the image in its store."""
    with TemporaryDirectory(prefix="podman-") as folder:
        podman = Podman(Path(folder))
        (release,) = (
            line.partition("=")[2].strip()
            for line in Path("/etc/os-release").read_text().splitlines()
            if line.startswith("VERSION_CODENAME=")
        )
        debian = Path(folder) / "debian.tar"
        include = "--include=python3,python3-venv,ca-certificates"
        mmdebstrap = ["mmdebstrap", "--quiet", "--variant=minbase", include, release, str(debian)]
        subprocess.run(mmdebstrap, check=True, timeout=_DONE_WITHIN_S)
        podman("import", "--quiet", str(debian), BASE)
        debian.unlink()
        mounts = [f"--volume={place}:{place}:ro" for place in _OF_PIP if place.exists()]
        variables = [f"--env={name}={os.environ[name]}" for name in ("PIP_CERT",) if name in os.environ]
        recipe = str(DEPLOY / "container" / "Containerfile")
        podman(
            *("build", "--isolation=chroot", "--network=host", "--format=docker", f"--build-arg=BASE={BASE}"),
            *(*mounts, *variables, f"--tag={IMAGE}", f"--file={recipe}", str(REPOSITORY)),
        )
        try:
            yield podman
        finally:
            podman.try_to("rm", "--all", "--force")
            podman.try_to("rmi", "--all", "--force")


def test_it_forwards_as_nobody_in_particular_and_stops_in_order(podman: Podman, kafka_broker: Broker) -> None:
    for topic in ("image_config", "image_status", "image_data"):
        kafka_broker.create_topic(topic)
    # Podman's own limits are higher than what a root without all its capabilities may set, and it wants a systemd that
    # asks for the health regularly: the test asks itself.
    here = ["--ulimit=nofile=1024:1024", "--ulimit=nproc=1024:1024", "--no-healthcheck"]
    with EpicsIoc(DATABASE) as ioc:
        variables = {
            "FORWARDER_HTTP": f"{LOOPBACK}:{free_port()}",
            "CONFIG_TOPIC": f"{kafka_broker.address}/image_config",
            "STATUS_TOPIC": f"{kafka_broker.address}/image_status",
            "EPICS_CA_ADDR_LIST": ioc.ca_address,
            "EPICS_CA_AUTO_ADDR_LIST": "NO",
            "EPICS_PVA_AUTO_ADDR_LIST": "NO",
        }
        run = ["run", "--name=forwarder", "--network=host", "--read-only", "--tmpfs=/tmp", "--cap-drop=all", *here]
        given = [f"--env={name}={value}" for name, value in variables.items()]
        volume = "--volume=state:/var/lib/forwarder"
        with spawn("container", [*podman.command, *run, volume, *given, "--stop-timeout=20", IMAGE]) as child:
            wait_until_it_obeys(kafka_broker, "image_status")
            producer = Producer({"bootstrap.servers": kafka_broker.address})
            producer.produce("image_config", serialise_fc00(UpdateType.ADD, [stream("IMAGE:COUNT", "image_data")]))
            assert producer.flush(10) == 0
            counts = data(kafka_broker, "image_data", lambda found: len(found.values) > 10).values
            assert counts == [counts[0] + number for number in range(len(counts))]

            podman("exec", "forwarder", "python3", "/opt/forwarder/probe.py")
            assert podman("exec", "forwarder", "id", "-u").strip() == "10001"
            assert "spool" in podman("exec", "forwarder", "ls", "/var/lib/forwarder")
            # What `forwarder blocks` asks an instrument's database with.
            podman("exec", "forwarder", "python3", "-c", "import aiomysql")
            refused = podman.try_to("exec", "forwarder", "touch", "/opt/forwarder/x")
            assert "Read-only file system" in refused.stderr
            podman("stop", "forwarder")
            assert child.wait(_STOPPED_WITHIN_S) == 0
