"""Records for the EPICS IOC whose monitors show every loss: each posts its last count plus one."""

from benchmarks.pvs import PREFIX, UPDATES_PER_PV_S, Pvs

PHASES = 7
"""Groups of records that post one after the other, so that updates come in a stream as from many devices.

All records of one scan would post in one burst every 100 ms, which a forwarder can send in very few batches. Seven,
because that puts them evenly into any 20 ms: with ten, 10 ms apart, a forwarder that sends every 20 ms would wait for
the same two times all along, and its latency would be a matter of when it was started.
"""


def database(pvs: Pvs) -> str:
    """The text of a .db file."""
    make = _static if not pvs.moving else _counter if pvs.elements == 1 else _waveform
    heads = [_phase(number) for number in range(PHASES)] if pvs.moving else []
    return "\n".join([*heads, *(make(name, number, pvs) for number, name in enumerate(pvs.names()))]) + "\n"


def _phase(number: int) -> str:
    """Processes its group by an EPICS event, some time after the common tick of the scan."""
    delay = number / (PHASES * UPDATES_PER_PV_S)
    return _record(
        "calcout", f"{PREFIX}PHASE{number}", SCAN=".1 second", CALC="1", ODLY=f"{delay:.3f}", OEVT=_event(number)
    )


def _static(name: str, number: int, pvs: Pvs) -> str:
    return _record("calc", name, PINI="YES", CALC="1")


def _counter(name: str, number: int, pvs: Pvs) -> str:
    return _record("calc", name, SCAN="Event", EVNT=_event(number), CALC="VAL+1")


def _waveform(name: str, number: int, pvs: Pvs) -> str:
    """A buffer that takes in a count with each scan at its front, and is full from the start.

    At initialisation it takes the zeros out of its feed; from then on the feed holds a single count.
    """
    zeros = ",".join("0" * pvs.elements)
    counter = _record(
        "calcout",
        f"{name}:COUNT",
        SCAN="Event",
        EVNT=_event(number),
        CALC="VAL+1",
        OUT=f"{name}:FEED NPP",
        FLNK=name,
    )
    feed = _record("waveform", f"{name}:FEED", FTVL="DOUBLE", NELM=str(pvs.elements), INP=f"[{zeros}]")
    buffer = _record(
        "compress",
        name,
        PINI="YES",
        ALG="Circular Buffer",
        BALG="LIFO Buffer",
        NSAM=str(pvs.elements),
        INP=f"{name}:FEED NPP",
    )
    return f"{counter}\n{feed}\n{buffer}"


def _event(number: int) -> str:
    return f"phase{number % PHASES}"


def _record(kind: str, name: str, **fields: str) -> str:
    body = " ".join(f'field({field}, "{value}")' for field, value in fields.items())
    return f'record({kind}, "{name}") {{ {body} }}'
