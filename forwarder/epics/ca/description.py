"""The units or enum strings of one channel, which a subscription of its own brings.

It asks for changes of properties only: on the subscription of the values they would repeat values.
"""

from caproto import SubscriptionType

from forwarder.epics.interface import Listener

MASK = SubscriptionType.DBE_PROPERTY
SUBSCRIPTION = 1 << 31
"""Set in the number of such a subscription, whose other bits are the channel's; never in a channel's own number."""


class Description:
    """What is known of it. Its listener is told once, and when it has changed."""

    __slots__ = ("_known", "_listener")

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._known: tuple[str, tuple[str, ...]] | None = None

    def learn(self, units: str, choices: tuple[str, ...]) -> None:
        """The server has said it. A property that is neither, such as a limit, comes here too."""
        if self._known != (units, choices):
            self._known = units, choices
            self.tell()

    def tell(self) -> None:
        """Say it, again if need be; nothing as long as the server has not answered."""
        if self._known is not None:
            self._listener.described(*self._known)
