"""The source of updates: a real EPICS IOC, or caproto's."""

from benchmarks.database import database
from benchmarks.pvs import Pvs
from tests.support.caproto_ioc import CaprotoIoc
from tests.support.epics import EpicsServer
from tests.support.ioc import EpicsIoc

KINDS = ("epics", "caproto")


def pva_address(ioc: EpicsServer) -> str:
    """What to search at over pvAccess."""
    if not isinstance(ioc, EpicsIoc):
        raise RuntimeError("caproto's IOC does not serve pvAccess")
    return ioc.pva_address


def serve(pvs: Pvs, kind: str) -> EpicsServer:
    """A server of these PVs, to be used with `with`."""
    if kind == "epics":
        return EpicsIoc(database(pvs))
    arguments = (str(pvs.count), str(pvs.elements), pvs.kind, "moving" if pvs.moving else "still")
    return CaprotoIoc("benchmarks.caproto_ioc", *arguments, readiness_pv=pvs.names()[-1])
