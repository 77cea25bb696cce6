"""The start, in order: what was forwarded when the service ended, then its commands, and then it says that it runs."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence

from .control import Control
from .kafka.config_topic import ConfigTopic
from .kafka.storage_topic import StorageTopic
from .pulse import Pulse

_STARTING, _RUNNING = "starting", "running"
_POSITION_STORED_S = 3.0
"""How long the position in the config topics may take to be stored before the service says that it runs."""


class Starting:
    """Brings the service to where commands are obeyed."""

    def __init__(
        self,
        control: Control,
        readers: Sequence[ConfigTopic],
        storage: StorageTopic | None,
        changed: Callable[[], None],
        report: Callable[[], None],
        *,
        retrieves: bool,
    ) -> None:
        """`changed` is called when there is something new to be stored and said, `report` when there is to be said.

        `retrieves`: whether a stored state is looked for.
        """
        self.pulse = Pulse()
        self.state = _STARTING
        """For the status: once it is `running`, commands that are sent from now on are obeyed."""
        self.restored = asyncio.Event()
        """Set when it is known what was forwarded: only then are commands read."""
        self._control = control
        self._readers = readers
        self._storage = storage
        self._changed = changed
        self._report = report
        self._retrieves = retrieves

    async def run(self) -> None:
        """Start, and then do nothing more until cancelled."""
        if not self.restored.is_set():
            if self._storage is not None and self._retrieves:
                state = await self._storage.read(self.pulse)
                if state is not None:
                    self._control.restore(state.streams, "the stored state")
                    for reader in self._readers:
                        reader.next_offsets.update(state.offsets.get(reader.name, {}))
            # Said and not stored again: that needs the positions in the config topics, too.
            self._changed()
            self.restored.set()
        for reader in self._readers:
            await self.pulse.wait(reader.reading)
        if self.state is _STARTING:
            self._changed()
            if self._storage is not None:
                # From where it reads has to be known to the next start, whatever happens to this one.
                await self._storage.flush(asyncio.get_running_loop().time() + _POSITION_STORED_S)
            self.state = _RUNNING
            self._report()
        await self.pulse.rest()

    def when_restored(self, run: Callable[[], Awaitable[object]], pulse: Pulse) -> Callable[[], Awaitable[object]]:
        """Run this later. `pulse` beats until then."""

        async def later() -> None:
            await pulse.wait(self.restored)
            await run()

        return later

    def awaited(self) -> Iterator[str]:
        """Why commands are not obeyed just now, for people; nothing while they are."""
        storage = self._storage
        if storage is not None and self.state is _STARTING:
            doing = "where the config topics are read from is stored" if self.restored.is_set() else "it is being read"
            yield storage.problem or f"the storage topic {storage.name}: {doing}"
        for reader in self._readers:
            if reader.problem:
                yield f"the config topic {reader.name}: {reader.problem}"
