"""What a PV is called in the file."""

import re

_OF_INSTRUMENT = re.compile(r"(?:^|:)(?:CS:SB|DAE):([^:]+)$")
"""The PVs of blocks and of the run log: what is in front is the same for all of an instrument."""
_NOT_IN_NEXUS = re.compile(r"[^A-Za-z0-9_.]")


class Names:
    """Those of one group, each given out once."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def of(self, pv: str) -> str:
        """`TEMP1` for the block IN:LARMOR:CS:SB:TEMP1, else the PV's name as NeXus allows it, or that with a number."""
        short = _OF_INSTRUMENT.search(pv)
        return self._free(*(_allowed(text) for text in (short[1], pv) if text) if short else (_allowed(pv),))

    def another(self, name: str) -> str:
        """One more like a name that is taken: `TEMP1_2`."""
        return self._free(name)

    def _free(self, *wanted: str) -> str:
        for name in wanted:
            if name not in self._taken:
                break
        else:
            number = 2
            while (name := f"{wanted[-1]}_{number}") in self._taken:
                number += 1
        self._taken.add(name)
        return name


def _allowed(text: str) -> str:
    """Names in NeXus begin and end with a letter, a digit or an underscore."""
    name = _NOT_IN_NEXUS.sub("_", text).strip(".")
    return name or "_"
