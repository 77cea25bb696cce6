"""Records for the EPICS IOC whose monitors show every loss: each posts its last count plus one."""

from benchmarks.pvs import PREFIX, UPDATES_PER_PV_S, Pvs


def database(pvs: Pvs) -> str:
    """The text of a .db file."""
    make = _static if not pvs.moving else _counter if pvs.elements == 1 else _waveform
    posts = [(beat, number) for beat in range(pvs.beats) for number in range(pvs.phases)]
    heads = [_phase(beat, number, pvs) for beat, number in posts] if pvs.moving else []
    return "\n".join([*heads, *(make(name, number, pvs) for number, name in enumerate(pvs.names()))]) + "\n"


def _phase(beat: int, number: int, pvs: Pvs) -> str:
    """Processes its group by an EPICS event, some time after the common tick of the scan."""
    delay = (beat + number / pvs.phases) / (pvs.beats * UPDATES_PER_PV_S)
    name = f"{PREFIX}BEAT{beat}:PHASE{number}"
    return _record("calcout", name, SCAN=".1 second", CALC="1", ODLY=f"{delay:.5f}", OEVT=_event(number, pvs))


def _static(name: str, number: int, pvs: Pvs) -> str:
    return _record("calc", name, PINI="YES", CALC="1")


def _counter(name: str, number: int, pvs: Pvs) -> str:
    return _record("calc", name, SCAN="Event", EVNT=_event(number, pvs), CALC="VAL+1")


def _waveform(name: str, number: int, pvs: Pvs) -> str:
    """A buffer that takes in a count with each scan at its front, and is full from the start.

    At initialisation it takes the zeros out of its feed; from then on the feed holds a single count.
    """
    zeros = ",".join("0" * pvs.elements)
    counter = _record(
        "calcout",
        f"{name}:COUNT",
        SCAN="Event",
        EVNT=_event(number, pvs),
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


def _event(number: int, pvs: Pvs) -> str:
    return f"phase{number % pvs.phases}"


def _record(kind: str, name: str, **fields: str) -> str:
    body = " ".join(f'field({field}, "{value}")' for field, value in fields.items())
    return f'record({kind}, "{name}") {{ {body} }}'
