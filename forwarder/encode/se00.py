"""se00: samples of one PV that were taken quickly one after the other. Format: schemas/se00.fbs."""

from ..model import ChannelType
from .nttable import TableEncoder, table_encoder
from .samples import INTEGERS, ArrayEncoder, array_encoder

SCHEMA = "se00"

_MEMBERS = {**INTEGERS, "f8": 9, "f4": 10}


def encoder(source_name: str, kind: ChannelType) -> ArrayEncoder:
    """The encoder of one PV, chosen once when it connects. Raises CannotEncode for anything but numbers."""
    return array_encoder(SCHEMA, _MEMBERS, source_name, kind)


def nttable_encoder(source_name: str, kind: ChannelType) -> TableEncoder:
    """The encoder of one PV that is a table of values and times. Raises CannotEncode for anything else."""
    return table_encoder(SCHEMA, _MEMBERS, source_name, kind)
