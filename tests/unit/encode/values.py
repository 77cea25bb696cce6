"""Values of every type of number, as tables and as strategies, for the tests of all schemas."""

from typing import Any

import numpy as np
from hypothesis import strategies as st

from forwarder.model import ValueType

TIME_NS = 1_784_000_000_123_456_789
NAME = "IN:DEMO:CS:SB:TEMP1"
V = ValueType

INTEGERS = {
    V.BOOL: ("UByte", 0, 1),
    V.INT8: ("Byte", -(2**7), 2**7 - 1),
    V.UINT8: ("UByte", 0, 2**8 - 1),
    V.INT16: ("Short", -(2**15), 2**15 - 1),
    V.UINT16: ("UShort", 0, 2**16 - 1),
    V.INT32: ("Int", -(2**31), 2**31 - 1),
    V.ENUM: ("Int", 0, 2**16 - 1),
    V.UINT32: ("UInt", 0, 2**32 - 1),
    V.INT64: ("Long", -(2**63), 2**63 - 1),
    V.UINT64: ("ULong", 0, 2**64 - 1),
}
"""Name of the member in the unions of f142 and f144, smallest and largest number."""
FLOATS = {V.FLOAT32: ("Float", np.float32), V.FLOAT64: ("Double", np.float64)}

SCALARS: list[tuple[ValueType, Any]] = [
    *[(kind, value) for kind, (_, low, high) in INTEGERS.items() for value in (low, 0, 1, high)],
    *[(kind, value) for kind in FLOATS for value in (0.0, -1.5, 1e30)],
]
ARRAYS: list[tuple[ValueType, list[Any]]] = [
    *[(kind, values) for kind, (_, low, high) in INTEGERS.items() for values in ([], [high], [low, 0, high])],
    *[(kind, values) for kind in FLOATS for values in ([], [0.5], [-1.5, 0.0, 1e30])],
]


def array(kind: ValueType, values: list[Any]) -> Any:
    """An array of a type as a client gives it."""
    if kind is V.STRING:
        return values
    return np.array(values, "int32" if kind is V.ENUM else kind.value)


def elements(kind: ValueType) -> st.SearchStrategy[Any]:
    """Any number of a type that equals itself."""
    if kind in INTEGERS:
        return st.integers(INTEGERS[kind][1], INTEGERS[kind][2])
    return st.floats(allow_nan=False, width=32 if kind is V.FLOAT32 else 64)


names = st.text(
    st.characters(min_codepoint=33, max_codepoint=0x2FF, exclude_characters="\x7f"), min_size=1, max_size=300
)
times = st.integers(0, 2**63 - 1)
kinds = st.sampled_from(sorted({**INTEGERS, **FLOATS}, key=str))
scalars = kinds.flatmap(lambda kind: st.tuples(st.just(kind), elements(kind)))
texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
