"""What the data acquisition tells of a run while it goes on."""

import asyncio
import time

from caproto import ChannelData, ChannelDouble, ChannelInteger

from forwarder.demo.runs import EVENTS_PER_PULSE, PULSES_PER_S, run_at

_PERIOD_S = 1.0
_CURRENT_UA = 180.0


class RunLog:
    """Its channels."""

    def __init__(self, begun_s: float) -> None:
        """`begun_s`: when the first run starts, seconds since the Unix epoch."""
        self._begun_s = begun_s
        numbers = "GOODFRAMES", "RAWFRAMES", "TOTALCOUNTS", "MONITORCOUNTS", "PERIOD"
        units = {"COUNTRATE": "1/h", "BEAMCURRENT": "uA", "GOODUAH": "uAh", "MEVENTS": "", "NPRATIO": ""}
        self._channels: dict[str, ChannelData] = {name: ChannelInteger(value=0) for name in numbers}
        self._channels |= {name: ChannelDouble(value=0.0, units=text) for name, text in units.items()}
        self._channels["TOTALUAMPS"] = ChannelDouble(value=0.0, units="uAh")

    def by_name(self) -> dict[str, ChannelData]:
        """Channels by their names behind PREFIXDAE:."""
        return self._channels

    async def run(self) -> None:
        while True:
            for name, value in values(time.time() - self._begun_s).items():
                await self._channels[name].write(value)
            await asyncio.sleep(_PERIOD_S)


def values(since_s: float) -> dict[str, float]:
    """So many seconds after the beginning of the first run."""
    run = run_at(since_s)
    frames = int(run.counted_s * PULSES_PER_S)
    counts = frames * EVENTS_PER_PULSE
    current = _CURRENT_UA if run.counts else 0.0
    charge = _CURRENT_UA * run.counted_s / 3600
    return {
        "COUNTRATE": EVENTS_PER_PULSE * PULSES_PER_S * 3600.0 if run.counts else 0.0,
        "BEAMCURRENT": current,
        "GOODFRAMES": frames,
        "RAWFRAMES": frames,
        "GOODUAH": charge,
        "MEVENTS": counts / 1e6,
        "TOTALCOUNTS": counts,
        "MONITORCOUNTS": frames,
        "NPRATIO": counts / max(frames, 1),
        "PERIOD": 1,
        "TOTALUAMPS": charge,
    }
