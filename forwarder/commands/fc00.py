"""fc00, the configuration message of today. Format: schemas/fc00.fbs."""

from forwarder.model import Command

from . import config_update
from .config_update import STREAM_FIELDS, Change, StreamRow
from .limits import DEFAULT, Limits
from .verify import Scalar, Table

NAME = "fc00"
_ROOT = config_update.update_table(Table((*STREAM_FIELDS, Scalar("periodic", "i")), StreamRow))
_CHANGES = frozenset(Change)


def parse(message: bytes, limits: Limits = DEFAULT) -> Command:
    """The command in an fc00 message; raises BadCommand."""
    return config_update.parse(message, NAME, _ROOT, _CHANGES, limits)
