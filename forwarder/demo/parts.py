"""The processes of the demo: how each is started, and where they find each other."""

import sys
from dataclasses import dataclass
from pathlib import Path

from forwarder.demo.child import Child
from forwarder.demo.ports import LOOPBACK, free_port

INSTRUMENT = "DEMO"
PREFIX = f"{INSTRUMENT}:"
CONFIG, STATUS = f"{INSTRUMENT}_forwarderConfig", f"{INSTRUMENT}_forwarderStatus"
DATA = tuple(f"{INSTRUMENT}_{name}" for name in ("sampleEnv", "runLog", "events", "runInfo"))


@dataclass(frozen=True, slots=True)
class Places:
    """Addresses, and the beginning of the first run."""

    broker: str
    directory: Path
    """Whatever is kept in files is here."""
    begun_s: float
    """Seconds since the Unix epoch."""
    ca_port: int
    http_port: int

    @property
    def page(self) -> str:
        return f"http://{LOOPBACK}:{self.http_port}"

    @property
    def hints(self) -> tuple[str, ...]:
        """What can be tried, in another terminal."""
        where = f"--output-broker {self.broker}"
        return (
            f"see {self.page}",
            f"its Kafka is {self.broker}",
            f"its IOC is at EPICS_CA_ADDR_LIST={LOOPBACK}:{self.ca_port} EPICS_CA_AUTO_ADDR_LIST=NO",
            f"try: forwarder watch {INSTRUMENT}_sampleEnv {INSTRUMENT}_runInfo {where}",
            f"try: forwarder record {INSTRUMENT} demo.nxs {where} --from beginning --until run-stop",
        )


def places(broker: str, directory: str, begun_s: float) -> Places:
    """With ports that are free just now."""
    return Places(broker, Path(directory), begun_s, free_port(), free_port())


def start_ioc(at: Places) -> Child:
    environment = {
        "EPICS_CA_SERVER_PORT": str(at.ca_port),
        "EPICS_CAS_AUTO_BEACON_ADDR_LIST": "NO",
        "EPICS_CAS_BEACON_ADDR_LIST": "",
    }
    command = [sys.executable, "-m", "forwarder.demo.ioc", PREFIX, str(at.begun_s)]
    return Child("ioc", command, environment=environment)


def start_neutrons(at: Places) -> Child:
    command = [sys.executable, "-m", "forwarder.demo.neutrons", at.broker, INSTRUMENT, str(at.begun_s)]
    return Child("neutrons", command)


def start_forwarder(at: Places) -> Child:
    command = [
        *_forwarder("run", at),
        *("--service-id", "demo"),
        *("--state-directory", str(at.directory / "forwarder")),
        *("--http", str(at.http_port)),
    ]
    return Child("forwarder", command, environment=_environment(at))


def start_blocks(at: Places) -> Child:
    command = [
        *_forwarder("blocks", at),
        *("--prefix", PREFIX, "--instrument", INSTRUMENT),
        # Only f142 takes texts.
        *("--no-archive", "--block-schema", "f142"),
        *("--state-directory", str(at.directory / "blocks")),
    ]
    return Child("blocks", command, environment=_environment(at))


def _forwarder(command: str, at: Places) -> list[str]:
    return [
        *(sys.executable, "-m", "forwarder", command, "--profile", "local"),
        *("--config-topic", f"{at.broker}/{CONFIG}"),
        *("--status-topic", f"{at.broker}/{STATUS}"),
        *("--output-broker", at.broker),
    ]


def _environment(at: Places) -> dict[str, str]:
    return {
        "EPICS_CA_ADDR_LIST": f"{LOOPBACK}:{at.ca_port}",
        "EPICS_CA_AUTO_ADDR_LIST": "NO",
        "EPICS_PVA_AUTO_ADDR_LIST": "NO",
    }
