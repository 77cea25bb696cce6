"""The file under HDF5, for the day on which it can't grow any more."""

import io
import os
import shutil
from pathlib import Path
from typing import Any

from .nexus import CannotRecord

LEAST_FREE_BYTES = 64 * 1024 * 1024
"""What the disk has to have left: enough to end a file in order."""


class Sink(io.FileIO):
    """Takes everything; what does not fit is dropped and remembered.

    HDF5 does not survive that it can't write: it ends the process when that does.
    """

    def __init__(self, path: Path, mode: str) -> None:
        """Raises OSError."""
        super().__init__(path, mode)
        self._path = path
        self._failure: OSError | None = None

    def write(self, data: Any, /) -> int:
        left = memoryview(data).cast("B")
        size = len(left)
        try:
            while len(left) and self._failure is None:
                left = left[super().write(left) or 0 :]
        except OSError as error:
            self._failure = error
        return size

    def truncate(self, size: int | None = None, /) -> int:
        try:
            return super().truncate(size)
        except OSError as error:
            self._failure = self._failure or error
            return size or 0

    def check(self) -> None:
        """Raises CannotRecord if something was dropped, or soon would be."""
        if self._failure is not None:
            raise CannotRecord(f"{self._path} can't be written: {reason(self._failure)}")

    def settle(self) -> None:
        """Have it on the disk, whole, and close it. Raises CannotRecord, and OSError."""
        self.check()
        os.fsync(self.fileno())
        self.close()

    def check_room(self) -> None:
        """Raises CannotRecord while the file can still be ended in order."""
        if shutil.disk_usage(self._path.parent).free < LEAST_FREE_BYTES:
            raise CannotRecord(
                f"the disk with {self._path} has less than {LEAST_FREE_BYTES >> 20} MB left; the recording ends here"
            )


def reason(error: Exception) -> str:
    """In a few words: what HDF5 says is a page."""
    number = getattr(error, "errno", None)
    return os.strerror(number) if number else str(error).partition("\n")[0]
