"""The errors this service raises on purpose. Each says whether trying the same again can help."""

from typing import ClassVar


class ForwarderError(Exception):
    """Any error of the service's own. The message names the thing, its place and what was expected."""

    retry: ClassVar[bool] = False
    """Whether the same call may succeed later without anybody changing anything."""


class BadSetting(ForwarderError):
    """A setting has a value that is not allowed; the message names the setting, where it was set and what is."""


class BadCommand(ForwarderError):
    """A configuration message is not a command that can be believed; the message says which part is wrong."""


class BadStream(ForwarderError):
    """A stream that was asked for can't be served: an unknown schema, an output host that is not allowed."""


class CannotEncode(ForwarderError):
    """A schema has no place for the type of a PV, such as a string in f144."""


class KafkaAway(ForwarderError):
    """No broker of a cluster answers, or the one that leads a partition doesn't."""

    retry = True
