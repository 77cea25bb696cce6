"""How an encoder says that its format can't carry what a PV holds."""

from ..errors import CannotEncode
from ..model import ChannelType


def no_place(source_name: str, schema: str, kind: ChannelType) -> CannotEncode:
    """The error for a PV whose type has no place in a format."""
    what = f"arrays of {kind.element.value}" if kind.is_array else kind.element.value
    return CannotEncode(f"{source_name}: {schema} has no place for {what}")
