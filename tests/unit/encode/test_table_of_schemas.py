"""What the table of schemas promises to those who use it."""

import pytest

from forwarder.encode import SCHEMAS, al00, ep00, ep01, un00
from forwarder.model import ChannelType, ValueType

COMPANIONS = {
    "f142": ("ep00", ep00.encode, None, None),
    "text_f142": ("ep00", ep00.encode, None, None),
    "no_op": ("", None, None, None),
    **dict.fromkeys(
        ["f144", "tdct", "se00", "senv", "nttable_se00", "nttable_senv", "ad00"],
        ("ep01", ep01.encode, al00.encode, un00.encode),
    ),
}


def test_every_schema_is_there_with_its_companions() -> None:
    assert {
        name: (schema.connection_schema, schema.connection_event, schema.alarm_event, schema.units_event)
        for name, schema in SCHEMAS.items()
    } == COMPANIONS


@pytest.mark.parametrize("kind", ValueType)
def test_no_op_takes_anything_and_sends_nothing(kind: ValueType) -> None:
    encoder = SCHEMAS["no_op"].encoder("PV", ChannelType(kind, is_array=False))
    assert encoder.encode(1, 2) == encoder.encode_with_alarm(1, 2, 3, 2) == b""
