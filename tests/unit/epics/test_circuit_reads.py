"""How much of what a server sends is read at once: few enough updates that all else has its turn, however large."""

import asyncio
from typing import Any

import numpy as np
import pytest
from caproto import ChannelType

from forwarder.epics.ca.circuit import LARGE_READ_BYTES
from tests.support.ca_messages import ECHO, VERSION, created, event, properties

from .ca_circuit_rig import Rig

_SMALL = 32_768
_WAVEFORM = np.arange(2048, dtype=">f8")


def _mixed() -> Rig:
    rig = Rig("SCALAR", "WAVEFORM", "LATER", "TEXTS")
    texts = created(3, ChannelType.STRING, 3)
    rig.hear(VERSION, created(0), created(1, ChannelType.DOUBLE, len(_WAVEFORM)), texts)
    return rig


def _scalars(first: int, count: int) -> list[bytes]:
    return [event(0, [float(n)]) for n in range(first, first + count)]


def test_reads_of_scalars_are_small_from_the_first_on() -> None:
    async def scene() -> None:
        rig = _mixed()
        reads = rig.hear(*_scalars(0, 5000))
        assert max(reads) == _SMALL
        assert rig.recorders[0].values == list(range(5000))

    asyncio.run(scene())


def test_reads_of_waveforms_are_large_and_those_of_scalars_small_again() -> None:
    async def scene() -> None:
        rig = _mixed()
        reads = rig.hear(*(event(1, _WAVEFORM + n) for n in range(60)))
        assert reads[0] == _SMALL
        assert set(reads[1:-1]) == {LARGE_READ_BYTES}
        reads = rig.hear(*_scalars(0, 20_000))
        assert reads[0] == LARGE_READ_BYTES
        assert set(reads[1:-1]) == {_SMALL}
        assert [waveform[0] for waveform in rig.recorders[1].values] == list(range(60))
        assert rig.recorders[0].values == list(range(20_000))

    asyncio.run(scene())


@pytest.mark.parametrize("shift", [0, 1, 15, 16, 17, 24, 39])
def test_whatever_lies_across_the_end_of_a_read_is_heard_once_and_in_order(shift: int) -> None:
    """Commands, waveforms and texts between scalars; the frames are cut where reads end."""

    async def scene() -> None:
        rig = _mixed()
        rig.hear(ECHO * shift)
        frames: list[bytes] = []
        for n in range(60):
            frames += _scalars(n * 400, 400)
            frames += [ECHO, event(1, _WAVEFORM + n), event(3, [b"a%d" % n, b"b", b""], ChannelType.STRING)]
        stream = b"".join([*frames[:9000], created(2), event(2, [0.5]), *frames[9000:]])
        first = stream[: shift * 7 + 1]
        rig.hear(first)
        reads = rig.hear(stream[len(first) :])
        assert len(reads) > 10
        scalar, waveform, later, texts = rig.recorders
        assert scalar.values == list(range(24_000))
        assert [list(value) for value in waveform.values] == [list(_WAVEFORM + n) for n in range(60)]
        assert later.values == [0.5]
        assert texts.values == [[f"a{n}", "b", ""] for n in range(60)]
        assert rig.owner.told == [("ready", "")]

    asyncio.run(scene())


def test_a_huge_frame_is_read_in_large_reads_when_the_one_before_it_was() -> None:
    async def scene() -> None:
        rig = Rig("PV", max_array_bytes=10**7)
        rig.hear(VERSION, created(0, ChannelType.DOUBLE, 10**6))
        huge = event(0, np.arange(10**6, dtype=">f8"))
        rig.hear(huge)
        reads = rig.hear(huge)
        assert len(reads) == -(-len(huge) // LARGE_READ_BYTES)
        assert len(rig.recorders[0].values[1]) == 10**6

    asyncio.run(scene())


def _lost(rig: Rig) -> Any:
    rig.circuit.connection_lost(ConnectionResetError("reset"))
    return ("circuit lost", "reset")


def _dropped(rig: Rig) -> Any:
    rig.circuit.drop("silent")
    return ("circuit lost", "silent")


def _closed(rig: Rig) -> Any:
    rig.circuit.close()


@pytest.mark.parametrize("end", [_lost, _dropped, _closed])
def test_what_is_whole_when_the_circuit_ends_was_heard_and_nothing_is_afterwards(end: Any) -> None:
    async def scene() -> None:
        rig = _mixed()
        stream = b"".join(_scalars(0, 2000))
        rig.hear(stream[:-1])
        said = end(rig)
        rig.hear(stream[-1:], *_scalars(2000, 10), properties(0, units=b"mm"))
        assert rig.recorders[0].values == list(range(1999))
        assert rig.owner.told == [("ready", ""), *([said] if said else [])]

    asyncio.run(scene())


@pytest.mark.parametrize("at", [1, 500, 5000])
def test_a_channel_given_up_between_two_reads_or_within_one_hears_no_more(at: int) -> None:
    async def scene() -> None:
        rig = _mixed()
        scalar = rig.recorders[0]
        scalar.on_update = lambda: rig.circuit.give_up(rig.channels[0]) if scalar.heard[-1][1] == at else None
        rig.hear(*_scalars(0, 6000), event(1, _WAVEFORM))
        assert scalar.values == list(range(at + 1))
        assert len(rig.recorders[1].values) == 1

    asyncio.run(scene())
