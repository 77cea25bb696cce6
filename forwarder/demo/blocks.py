"""Blocks of an instrument: channels whose values change by themselves, as if somebody were measuring."""

import asyncio
import itertools
import math
import random

from caproto import AlarmSeverity, AlarmStatus, ChannelData, ChannelDouble, ChannelEnum, ChannelString

_PERIOD_S = 0.1
_SPECTRUM_POINTS = 64
VISITOR = "HUMIDITY"
"""The block that comes and goes."""
_TITLES = ("vanadium", "sample 1", "sample 2", "empty can")


class Blocks:
    """Their channels."""

    def __init__(self) -> None:
        self.temperature = ChannelDouble(value=290.0, units="K", precision=2)
        self.motor = ChannelDouble(value=0.0, units="mm", precision=3)
        self.shutter = ChannelEnum(value="CLOSED", enum_strings=("CLOSED", "OPEN"))
        self.title = ChannelString(value=_TITLES[0], long_string_max_length=40)
        self.spectrum = ChannelDouble(value=[0.0] * _SPECTRUM_POINTS, max_length=_SPECTRUM_POINTS)
        self.pressure = ChannelDouble(value=1.0, units="mbar", precision=2)
        self.humidity = ChannelDouble(value=45.0, units="%", precision=1)
        self.power = ChannelDouble(value=0.0, units="W", precision=1)

    def by_name(self) -> dict[str, ChannelData]:
        """Channels by the names of their blocks."""
        return {
            "TEMP1": self.temperature,
            "MOTOR1": self.motor,
            "SHUTTER": self.shutter,
            "TITLE": self.title,
            "SPECTRUM": self.spectrum,
            "PRESSURE": self.pressure,
            VISITOR: self.humidity,
        }

    def others(self) -> dict[str, ChannelData]:
        """Channels that are no blocks, as most of an instrument are not, by the names behind its prefix."""
        return {"HEATER:POWER": self.power}

    async def run(self) -> None:
        for tick in itertools.count():
            await self._step(tick)
            await asyncio.sleep(_PERIOD_S)

    async def _step(self, tick: int) -> None:
        await self.temperature.write(_ramp(tick) + random.gauss(0, 0.02))
        if (position := _position(tick)) != self.motor.value:
            await self.motor.write(position)
        pressure = 1.0 + math.sin(tick / 12)
        status, severity = _pressure_alarm(pressure)
        await self.pressure.write(pressure, status=status, severity=severity)
        await self.humidity.write(45.0 + 5.0 * math.sin(tick / 30))
        if tick % 5 == 0:
            await self.spectrum.write([random.gauss(100, 10) for _ in range(_SPECTRUM_POINTS)])
            await self.power.write(20.0 + random.gauss(0, 0.5))
        if tick % 20 == 0:
            await self.shutter.write("OPEN" if tick % 40 == 0 else "CLOSED")
        if tick % 30 == 0:
            await self.title.write(_TITLES[tick // 30 % len(_TITLES)])


def _ramp(tick: int) -> float:
    """Up from 290 K to 310 K and down again, 1 K a second."""
    return 310.0 - abs(tick * 0.1 % 40 - 20)


def _position(tick: int) -> float:
    """Moves 5 mm in 2 s, rests for 1 s, and starts again at 0 after 20 mm."""
    moves, ticks_into_move = divmod(tick, 30)
    return moves % 4 * 5.0 + min(ticks_into_move, 20) * 0.25


def _pressure_alarm(pressure: float) -> tuple[AlarmStatus, AlarmSeverity]:
    if pressure > 1.9:
        return AlarmStatus.HIHI, AlarmSeverity.MAJOR_ALARM
    if pressure > 1.5:
        return AlarmStatus.HIGH, AlarmSeverity.MINOR_ALARM
    return AlarmStatus.NO_ALARM, AlarmSeverity.NO_ALARM
