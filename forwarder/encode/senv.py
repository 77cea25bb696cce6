"""senv: what se00 was before, without floating-point numbers. Format: schemas/senv.fbs."""

from ..model import ChannelType
from .nttable import TableEncoder, table_encoder
from .samples import INTEGERS, ArrayEncoder, array_encoder

SCHEMA = "senv"


def encoder(source_name: str, kind: ChannelType) -> ArrayEncoder:
    """The encoder of one PV, chosen once when it connects. Raises CannotEncode for anything but whole numbers."""
    return array_encoder(SCHEMA, INTEGERS, source_name, kind)


def nttable_encoder(source_name: str, kind: ChannelType) -> TableEncoder:
    """The encoder of one PV that is a table of values, rounded to whole numbers, and times.

    Raises CannotEncode for anything else.
    """
    return table_encoder(SCHEMA, INTEGERS, source_name, kind)
