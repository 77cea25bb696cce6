"""What all EPICS test servers have in common: where they listen, and how to see that they answer."""

from forwarder.demo.child import Child
from forwarder.demo.search import wait_until_served
from tests.support.ports import LOOPBACK, free_port
from tests.support.processes import Server

_READY_WITHIN_S = 30.0


class EpicsServer(Server):
    """A Channel Access server on loopback, with ports of its own."""

    def __init__(self, readiness_pv: str) -> None:
        """`readiness_pv` is asked for to see whether the server is up."""
        super().__init__()
        self.ca_port = free_port()
        """UDP port that answers searches."""
        self.beacon_port = free_port()
        """UDP port that beacons go to. Nobody listens there unless a test does."""
        self._readiness_pv = readiness_pv

    @property
    def ca_address(self) -> str:
        """An entry for EPICS_CA_ADDR_LIST."""
        return f"{LOOPBACK}:{self.ca_port}"

    def _environment(self) -> dict[str, str]:
        return {
            "EPICS_CA_SERVER_PORT": str(self.ca_port),
            "EPICS_CAS_SERVER_PORT": str(self.ca_port),
            "EPICS_CAS_INTF_ADDR_LIST": LOOPBACK,
            "EPICS_CAS_AUTO_BEACON_ADDR_LIST": "NO",
            "EPICS_CAS_BEACON_ADDR_LIST": LOOPBACK,
            "EPICS_CAS_BEACON_PORT": str(self.beacon_port),
            "EPICS_CA_REPEATER_PORT": str(self.beacon_port),
            # A server's own client, for links to other records, stays here too.
            "EPICS_CA_AUTO_ADDR_LIST": "NO",
            "EPICS_CA_ADDR_LIST": self.ca_address,
        }

    def _wait_until_ready(self, child: Child) -> None:
        wait_until_served(
            self._readiness_pv,
            self.ca_port,
            deadline_s=_READY_WITHIN_S,
            still_alive=lambda: child.exit_code is None,
        )
