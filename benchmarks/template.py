"""An f142 message of one PV, built once, whose time and value are overwritten for each update."""

import struct

import flatbuffers
import numpy as np
from streaming_data_types.fbschemas.logdata_f142 import ArrayDouble, Double, LogData
from streaming_data_types.fbschemas.logdata_f142.Value import Value

# Found again in the finished message, they tell where its fields are.
_TIME_MARK = 0x1122_3344_5566_7788
_VALUE_MARK = -1.234567890123e-200


class Template:
    """`message` with the places of its fields."""

    TIME = struct.Struct("<Q")
    VALUE = struct.Struct("<d")

    def __init__(self, name: str, elements: int) -> None:
        self.message = _build(name, elements)
        self.time_at = _only(self.message, self.TIME.pack(_TIME_MARK))
        self.value_at = self.message.find(self.VALUE.pack(_VALUE_MARK))
        self.values = np.frombuffer(self.message, "<f8", elements, self.value_at)


def _build(name: str, elements: int) -> bytearray:
    builder = flatbuffers.Builder(256 + 8 * elements)
    source = builder.CreateString(name)
    if elements == 1:
        Double.DoubleStart(builder)
        Double.DoubleAddValue(builder, _VALUE_MARK)
        value, kind = Double.DoubleEnd(builder), Value.Double
    else:
        vector = builder.CreateNumpyVector(np.full(elements, _VALUE_MARK))
        ArrayDouble.ArrayDoubleStart(builder)
        ArrayDouble.ArrayDoubleAddValue(builder, vector)
        value, kind = ArrayDouble.ArrayDoubleEnd(builder), Value.ArrayDouble
    LogData.LogDataStart(builder)
    LogData.LogDataAddSourceName(builder, source)
    LogData.LogDataAddValueType(builder, kind)
    LogData.LogDataAddValue(builder, value)
    LogData.LogDataAddTimestamp(builder, _TIME_MARK)
    builder.Finish(LogData.LogDataEnd(builder), b"f142")
    return bytearray(builder.Output())


def _only(message: bytes, mark: bytes) -> int:
    if message.count(mark) != 1:
        raise ValueError("the mark must be in the message once")
    return message.find(mark)
