"""A Channel Access server written in Python, for behaviour that a real IOC would never show."""

import sys

from forwarder.demo.child import Child
from tests.support.epics import EpicsServer
from tests.support.processes import spawn


class CaprotoIoc(EpicsServer):
    """Runs `python -m MODULE ARGUMENTS...`, which has to serve `readiness_pv` on 127.0.0.1.

    The module takes its ports from the environment, as caproto's servers do by themselves. Its TCP port is another one
    after every start.
    """

    def __init__(self, module: str, *arguments: str, readiness_pv: str) -> None:
        super().__init__(readiness_pv)
        self._command = [sys.executable, "-m", module, *arguments]

    def _environment(self) -> dict[str, str]:
        # caproto complains about every beacon that nobody listens for.
        return super()._environment() | {"EPICS_CAS_BEACON_ADDR_LIST": ""}

    def _launch(self) -> Child:
        return spawn("caproto ioc", self._command, environment=self._environment())
