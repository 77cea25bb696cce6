"""rf5k, the configuration message before fc00: no REPLACE and no periodic repeat. Format: schemas/rf5k.fbs."""

from forwarder.model import Command

from . import config_update
from .config_update import STREAM_FIELDS, Change, StreamRow
from .limits import DEFAULT, Limits
from .verify import Table

NAME = "rf5k"
_ROOT = config_update.update_table(Table(STREAM_FIELDS, StreamRow))
_CHANGES = frozenset(Change) - {Change.REPLACE}


def parse(message: bytes, limits: Limits = DEFAULT) -> Command:
    """The command in an rf5k message; raises BadCommand."""
    return config_update.parse(message, NAME, _ROOT, _CHANGES, limits)
