"""Datasets that grow by rows. What is added waits in memory until `write`, because each growth of one costs 0.1 ms."""

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

import numpy as np

_CHUNK_ROWS = 512
"""A file of thousands of PVs that hardly change is mostly chunks that are not full."""
_CHUNK_BYTES = 65_536
_LEAST_WIDTH, _MOST_WIDTH = 1_024, 65_536


class Column:
    """One value a row."""

    def __init__(
        self, group: Any, name: str, dtype: Any, attributes: Mapping[str, str] | None = None, chunk: int = _CHUNK_ROWS
    ) -> None:
        """`chunk`: rows that lie together in the file."""
        self.dataset = group.create_dataset(name, (0,), dtype, maxshape=(None,), chunks=(chunk,))
        self.dataset.attrs.update(attributes or {})
        self._waiting: list[Any] = []
        self._parts: list[np.ndarray] = []

    def append(self, value: Any) -> None:
        """One row; a column takes either these or parts."""
        self._waiting.append(value)

    def extend(self, values: np.ndarray) -> None:
        """Many rows at once."""
        self._parts.append(values)

    def write(self) -> None:
        """Put what waits into the file."""
        rows = np.concatenate(self._parts) if self._parts else self._waiting
        if len(rows):
            before = len(self.dataset)
            self.dataset.resize(before + len(rows), 0)
            self.dataset[before:] = rows
        self._waiting, self._parts = [], []


class ArrayColumn:
    """An array a row: a table as wide as the longest of them, and beside it how long each one is.

    A table is what tools can plot; HDF5's own arrays of varying length are something few of them read.
    """

    def __init__(self, group: Any, name: str, dtype: Any, first: int) -> None:
        """`first` is the length that is to be expected."""
        # Arrays may become longer than the first one, and what a chunk holds of none of them is packed away.
        columns = min(max(first, _LEAST_WIDTH), _MOST_WIDTH)
        rows = max(_CHUNK_BYTES // (columns * np.dtype(dtype).itemsize), 1)
        fill = np.nan if np.dtype(dtype).kind == "f" else None
        self.dataset = group.create_dataset(
            name,
            (0, first),
            dtype,
            maxshape=(None, None),
            chunks=(rows, columns),
            fillvalue=fill,
            compression="gzip",
            compression_opts=1,
            shuffle=True,
        )
        self._lengths = Column(group, f"{name}_length", np.uint32)
        self._waiting: list[Sequence[Any]] = []

    def append(self, value: Sequence[Any]) -> None:
        """One row."""
        self._waiting.append(value)
        self._lengths.append(len(value))

    def write(self) -> None:
        """Put what waits into the file."""
        if not self._waiting:
            return
        row, width = self.dataset.shape
        self.dataset.resize((row + len(self._waiting), max(width, *map(len, self._waiting))))
        # One length at a time: a single long array must not make all others as long in memory.
        for length, equal in groupby(self._waiting, len):
            rows = list(equal)
            if length:
                self.dataset[row : row + len(rows), :length] = rows
            row += len(rows)
        self._lengths.write()
        self._waiting = []
