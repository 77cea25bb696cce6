"""ad00: one image of an area detector. Format: schemas/ad00.fbs."""

from math import prod
from typing import cast

import numpy as np
from flatbuffers import Builder

from ..errors import CannotEncode
from ..model import Attribute, ChannelType, Image, Value, ValueType
from .refusal import no_place
from .template import LENGTH, empty_vector, finish, number_vector

SCHEMA = "ad00"

# enum DType, by the kind and size of elements as numpy has them. A boolean is sent as a byte of 0 or 1.
_TYPES = {"i1": 0, "u1": 1, "b1": 1, "i2": 2, "u2": 3, "i4": 4, "u4": 5, "i8": 6, "u8": 7, "f4": 8, "f8": 9}
_C_STRING = 10

# Slots of the root table, and of its attributes.
_SOURCE_NAME, _ID, _TIMESTAMP, _DIMENSIONS, _DATA_TYPE, _DATA, _ATTRIBUTES = range(7)
_NAME, _DESCRIPTION, _SOURCE, _ATTRIBUTE_DATA_TYPE, _ATTRIBUTE_DATA = range(5)


class Encoder:
    """Encodes the images of one PV.

    Attributes and dimensions may differ from image to image, so a message is built anew each time; only the pixels
    are appended as they are.
    """

    __slots__ = ("_source_name",)

    def __init__(self, source_name: str) -> None:
        self._source_name = source_name

    def encode(self, value: Value, time_ns: int) -> bytes:
        """A message with one image. Raises CannotEncode for one that is compressed or not of its dimensions' size."""
        image = cast("Image", value)
        if image.codec:
            raise CannotEncode(f"{self._source_name}: ad00 has no place for an image compressed by {image.codec}")
        if prod(image.dimensions) != image.data.size:
            raise CannotEncode(
                f"{self._source_name}: ad00 has no place for {image.data.size} pixels that claim to be an image of"
                f" {image.dimensions}"
            )
        builder = Builder(1024)
        data = empty_vector(builder, 8)
        attributes = [_attribute(builder, each) for each in image.attributes if not isinstance(each.value, list)]
        builder.StartVector(4, len(attributes), 4)
        for each in reversed(attributes):
            builder.PrependUOffsetTRelative(each)
        attributes_vector = builder.EndVector()
        # Readers take them as the shape of an array of C; NTNDArray counts from the other end.
        dimensions = number_vector(builder, np.array(image.dimensions[::-1], np.int64))
        name = builder.CreateString(self._source_name)
        builder.StartObject(7)
        builder.PrependUint8Slot(_DATA_TYPE, _TYPES[image.data.dtype.str[1:]], None)
        # The detector's count is signed, and begins anew below zero.
        builder.PrependUint32Slot(_ID, image.unique_id & 0xFFFFFFFF, None)
        builder.PrependUOffsetTRelativeSlot(_ATTRIBUTES, attributes_vector, None)
        builder.PrependUOffsetTRelativeSlot(_DATA, data, None)
        builder.PrependUOffsetTRelativeSlot(_DIMENSIONS, dimensions, None)
        builder.PrependUOffsetTRelativeSlot(_SOURCE_NAME, name, None)
        builder.PrependUint64Slot(_TIMESTAMP, time_ns, None)
        message = finish(builder, builder.EndObject(), SCHEMA)
        pixels = np.ascontiguousarray(image.data)
        return b"".join((message[:-4], LENGTH(pixels.nbytes), pixels.data))

    def encode_with_alarm(self, value: Value, time_ns: int, status: int, severity: int) -> bytes:
        """The same message: ad00 leaves the alarm to al00."""
        return self.encode(value, time_ns)


def _attribute(builder: Builder, attribute: Attribute) -> int:
    """One attribute's table. A list of strings has no place in ad00: such attributes are left out before."""
    if isinstance(attribute.value, str):
        data_type, content = _C_STRING, attribute.value.encode()
    else:
        # numpy chooses int64 for an int, float64 for a float, and uint64 where int64 is too small.
        numbers = np.asarray(attribute.value)
        data_type, content = _TYPES[numbers.dtype.str[1:]], numbers.tobytes()
    data = number_vector(builder, np.frombuffer(content, np.uint8))
    source = builder.CreateString(attribute.source)
    description = builder.CreateString(attribute.description)
    name = builder.CreateString(attribute.name)
    builder.StartObject(5)
    builder.PrependUint8Slot(_ATTRIBUTE_DATA_TYPE, data_type, None)
    builder.PrependUOffsetTRelativeSlot(_ATTRIBUTE_DATA, data, None)
    builder.PrependUOffsetTRelativeSlot(_SOURCE, source, None)
    builder.PrependUOffsetTRelativeSlot(_DESCRIPTION, description, None)
    builder.PrependUOffsetTRelativeSlot(_NAME, name, None)
    return builder.EndObject()


def encoder(source_name: str, kind: ChannelType) -> Encoder:
    """The encoder of one PV, chosen once when it connects. Raises CannotEncode for anything but an image."""
    if kind.element is not ValueType.IMAGE:
        raise no_place(source_name, SCHEMA, kind)
    return Encoder(source_name)
