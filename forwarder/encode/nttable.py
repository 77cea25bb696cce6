"""Samples from an NTTable with one column of values and one of times, as se00 and senv."""

from collections.abc import Mapping
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from ..errors import CannotEncode
from ..model import Array, ChannelType, Table, Value, ValueType
from .refusal import no_place
from .samples import kind_and_size, timed
from .whole import whole

VALUE, TIMESTAMP = "value", "timestamp"
"""Labels of the columns, as the forwarder of ESS asks for them. The times are nanoseconds since the Unix epoch."""


class TableEncoder:
    """Encodes the updates of a table. The messages are counted from 0, anew each time the PV connects.

    A table says its columns with each value, not before: so does an encoder that can't do with them.
    """

    __slots__ = ("_members", "_name", "_schema", "_sent", "_what")

    def __init__(self, schema: str, members: Mapping[str, int], source_name: str) -> None:
        self._schema = schema
        self._members = members
        self._name = source_name.encode()
        self._what = f"{source_name}: nttable_{schema}"
        self._sent = 0

    def encode(self, value: Value, time_ns: int) -> bytes:
        """A message with the time of its first row; nothing to send for a table without rows.

        Raises CannotEncode for a table without the two columns, or with something else than numbers in them.
        """
        columns = cast("Table", value).columns
        values = self._numbers(columns, VALUE)
        times = whole(self._numbers(columns, TIMESTAMP), f"{self._what}, column {TIMESTAMP}")
        if values.size != times.size:
            raise CannotEncode(f"{self._what}: {values.size} rows of {VALUE} and {times.size} of {TIMESTAMP}")
        if not times.size:
            return b""
        if kind_and_size(values.dtype) not in self._members:
            # senv has no fractions: they are rounded, as the forwarder of ESS does.
            values = whole(values, f"{self._what}, column {VALUE}")
        counter, self._sent = self._sent, self._sent + 1
        member = self._members[kind_and_size(values.dtype)]
        return timed(self._schema, member, self._name, counter, values, times)

    def encode_with_alarm(self, value: Value, time_ns: int, status: int, severity: int) -> bytes:
        """The same message: these formats leave the alarm to al00."""
        return self.encode(value, time_ns)

    def _numbers(self, columns: Mapping[str, Array], label: str) -> npt.NDArray[Any]:
        if label not in columns:
            raise CannotEncode(f"{self._what} needs a column {label}; there are {', '.join(columns) or 'none'}")
        column = columns[label]
        if isinstance(column, list):
            raise CannotEncode(f"{self._what} has no place for a column {label} of strings")
        return column.view(np.uint8) if column.dtype.kind == "b" else column


def table_encoder(schema: str, members: Mapping[str, int], source_name: str, kind: ChannelType) -> TableEncoder:
    """The encoder of one PV. Raises CannotEncode for anything but a table."""
    if kind.element is not ValueType.TABLE:
        raise no_place(source_name, f"nttable_{schema}", kind)
    return TableEncoder(schema, members, source_name)
