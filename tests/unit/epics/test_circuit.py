"""Bytes of a server in, calls of listeners out; caproto makes the bytes, and reads what the circuit sends."""

import asyncio
import struct
from collections.abc import Callable, Coroutine
from functools import wraps
from itertools import pairwise
from typing import Any

import caproto
import numpy as np
import pytest
from caproto import ChannelType
from hypothesis import given, settings
from hypothesis import strategies as st

from forwarder.epics.ca.channel import Event, State
from forwarder.model import ValueType
from tests.support.ca_messages import (
    ECHO,
    NATIVE,
    PROPERTIES,
    TIME_NS,
    VERSION,
    created,
    event,
    extended,
    failed_event,
    properties,
)

from .ca_circuit_rig import Rig


def in_loop(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    @wraps(test)
    def run(*arguments: Any, **named: Any) -> None:
        asyncio.run(test(*arguments, **named))

    return run


def subscribed(native: ChannelType = ChannelType.DOUBLE, count: int = 1, channels: int = 1) -> Rig:
    rig = Rig(*(f"PV{n}" for n in range(channels)))
    rig.hear(VERSION, *(created(n, native, count) for n in range(channels)))
    return rig


CHANNELS: list[tuple[ChannelType, int]] = [
    (ChannelType.DOUBLE, 1),
    (ChannelType.LONG, 1),
    (ChannelType.STRING, 1),
    (ChannelType.DOUBLE, 100),
    (ChannelType.CHAR, 70_000),
    (ChannelType.ENUM, 1),
    (ChannelType.STRING, 3),
]
CONVERSATION = b"".join(
    [
        VERSION,
        *(created(cid, *channel) for cid, channel in enumerate(CHANNELS)),
        event(0, [0.5]),
        event(0, [1.5], nanoseconds=999_999_999, status=3, severity=1),
        event(0, [2.5]),
        event(1, [-7], ChannelType.LONG),
        event(2, [b"on"], ChannelType.STRING),
        event(3, [1.5, 2.5, 3.5]),
        event(3, [4.5]),
        event(3, []),
        ECHO,
        extended(event(4, [1, 2, 3], ChannelType.CHAR)),
        failed_event(0),
        event(5, [3], ChannelType.ENUM),
        event(6, [b"a", b"b"], ChannelType.STRING),
        event(0, [3.5]),
    ]
)
HEARD = [
    [0.5, 1.5, 2.5, 3.5],
    [-7],
    ["on"],
    [[1.5, 2.5, 3.5], [4.5], []],
    [[1, 2, 3]],
    [3],
    [["a", "b"]],
]


def conversation_in(pieces: list[bytes]) -> Rig:
    rig = Rig(*(f"PV{n}" for n in range(len(CHANNELS))))
    for piece in pieces:
        rig.hear(piece)
    return rig


def check_conversation(rig: Rig) -> None:
    assert rig.owner.told == [("ready", "")]
    assert [recorder.values for recorder in rig.recorders] == HEARD
    assert [recorder.story[:2] for recorder in rig.recorders] == [["connected", "update"]] * len(CHANNELS)
    assert rig.recorders[0].updates[1][1:] == (TIME_NS - 123_456_789 + 999_999_999, 3, 1)
    assert len(rig.recorders[0].errors) == 1
    assert rig.circuit.updates == sum(map(len, HEARD))
    assert rig.circuit.refused_updates == 1


@in_loop
async def test_a_conversation_cut_at_every_byte_is_heard_the_same() -> None:
    for cut in range(len(CONVERSATION) + 1):
        check_conversation(conversation_in([CONVERSATION[:cut], CONVERSATION[cut:]]))


@in_loop
async def test_a_conversation_in_single_bytes_is_heard_the_same() -> None:
    check_conversation(conversation_in([bytes([byte]) for byte in CONVERSATION]))


@settings(max_examples=50)
@given(st.lists(st.integers(0, len(CONVERSATION)), max_size=20))
def test_a_conversation_cut_anywhere_is_heard_the_same(cuts: list[int]) -> None:
    async def converse() -> None:
        bounds = [0, *sorted(cuts), len(CONVERSATION)]
        pieces = [CONVERSATION[start:end] for start, end in pairwise(bounds)]
        check_conversation(conversation_in(pieces))

    asyncio.run(converse())


@in_loop
async def test_it_introduces_itself_and_asks_for_channels_when_the_server_has_answered() -> None:
    rig = Rig("PV0")
    version, host, client = await rig.sent()
    assert (version.version, host.name, client.name) == (13, "host", "user")
    rig.hear(VERSION)
    rig.add("PV1")
    assert [(type(command), command.name, command.cid) for command in await rig.sent()] == [
        (caproto.CreateChanRequest, "PV0", 0),
        (caproto.CreateChanRequest, "PV1", 1),
    ]


@pytest.mark.parametrize("native", NATIVE.values(), ids=NATIVE)
@in_loop
async def test_it_subscribes_to_the_native_type_with_time_and_to_any_length(native: ChannelType) -> None:
    rig = Rig("PV")
    rig.hear(VERSION)
    await rig.sent()
    rig.hear(created(0, native, 10))
    (request,) = await rig.sent()
    assert isinstance(request, caproto.EventAddRequest)
    assert (request.data_type, request.data_count, request.sid) == (native + 14, 0, 1000)
    assert request.mask == caproto.SubscriptionType.DBE_VALUE | caproto.SubscriptionType.DBE_ALARM


@in_loop
async def test_a_server_older_than_dynamic_lengths_is_asked_for_the_largest_count() -> None:
    rig = Rig("PV")
    rig.hear(bytes(caproto.VersionResponse(11)), created(0, ChannelType.DOUBLE, 10))
    assert (await rig.sent())[-1].data_count == 10


@pytest.mark.parametrize("native", NATIVE.values(), ids=NATIVE)
@in_loop
async def test_where_there_is_room_for_one_element_one_is_asked_for(native: ChannelType) -> None:
    rig = Rig("PV")
    rig.hear(VERSION, created(0, native, 1))
    assert (await rig.sent())[-1].data_count == 1


@pytest.mark.parametrize(
    "name",
    [
        'PV.{"dbnd":{"d":1}}',
        'PV.{"dbnd":{"abs":1.5}}',
        'PV.{"sync":{"while":"red"}}',
        'PV.VAL{"decimate":{"n":2}}',
        'PV.{"utag":{}}',
        "PV.VAL[1:x]",
        "PV.{",
        "PV.{1}",
    ],
)
@in_loop
async def test_filters_are_the_business_of_the_server(name: str) -> None:
    rig = Rig(name, "OTHER")
    rig.hear(VERSION, created(0), created(1), event(0, [1.5]), event(1, [2.5]))
    assert [recorder.values for recorder in rig.recorders] == [[1.5], [2.5]]
    await asyncio.sleep(0)
    # Not read by caproto's server, which would refuse the filter too.
    assert rig.transport.written.count(name.encode() + b"\0") == 1


@in_loop
async def test_a_channel_that_cannot_be_asked_for_is_lost_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    create = caproto.ClientChannel.create

    def refusing(channel: caproto.ClientChannel) -> caproto.CreateChanRequest:
        if channel.name == "BAD":
            raise ValueError("no such name")
        return create(channel)

    monkeypatch.setattr(caproto.ClientChannel, "create", refusing)
    rig = Rig("PV", *(["BAD"] * 2000), "OTHER")
    rig.hear(VERSION, created(0), created(2001), event(0, [1.5]), event(2001, [2.5]))
    assert rig.owner.told == [("ready", ""), *[("channel lost", "BAD")] * 2000]
    assert len(rig.circuit) == 2
    assert rig.channels[1].state is State.SEARCHING
    assert (rig.recorders[0].values, rig.recorders[-1].values) == ([1.5], [2.5])


@in_loop
async def test_a_listener_that_raises_when_it_connects_is_told_and_loses_nothing() -> None:
    rig = Rig("PV", "OTHER")
    error = RuntimeError("the listener's own")

    def raise_it() -> None:
        raise error

    rig.recorders[0].on_connect = raise_it
    rig.hear(VERSION, created(0), created(1), event(0, [1.5]), event(1, [2.5]))
    assert rig.recorders[0].story == ["connected", "failed", "update"]
    assert rig.recorders[0].errors == [error]
    assert rig.recorders[1].values == [2.5]
    assert rig.owner.told == [("ready", "")]


@in_loop
async def test_the_owner_is_told_how_many_elements_there_can_be() -> None:
    rig = Rig("PV", "OTHER")
    rig.hear(VERSION, created(0, count=5), created(1))
    assert rig.owner.created == [("PV", 5), ("OTHER", 1)]


@in_loop
async def test_a_name_that_is_not_ascii_is_created_with_the_bytes_it_was_searched_with() -> None:
    rig = Rig("PV:µ", "PV:温度")
    rig.hear(VERSION)
    first, second = (await rig.sent())[-2:]
    assert bytes(first)[16:].rstrip(b"\0") == "PV:µ".encode()
    assert bytes(second)[16:].rstrip(b"\0") == "PV:温度".encode()


@pytest.mark.parametrize(
    ("native", "element"),
    [
        (ChannelType.STRING, ValueType.STRING),
        (ChannelType.INT, ValueType.INT16),
        (ChannelType.FLOAT, ValueType.FLOAT32),
        (ChannelType.ENUM, ValueType.ENUM),
        (ChannelType.CHAR, ValueType.UINT8),
        (ChannelType.LONG, ValueType.INT32),
        (ChannelType.DOUBLE, ValueType.FLOAT64),
    ],
)
@pytest.mark.parametrize("count", [1, 2, 100_000])
@in_loop
async def test_a_listener_is_told_the_type_before_any_value(
    native: ChannelType, element: ValueType, count: int
) -> None:
    rig = subscribed(native, count)
    (kind,) = rig.recorders[0].kinds
    assert (kind.element, kind.is_array) == (element, count > 1)


@pytest.mark.parametrize("native", [native for native in NATIVE.values() if native], ids=lambda native: native.name)
@in_loop
async def test_one_number_is_a_scalar_or_an_array_of_one_as_the_channel_is(native: ChannelType) -> None:
    scalar, array = subscribed(native, 1), subscribed(native, 5)
    for rig in (scalar, array):
        rig.hear(event(0, [1], native), extended(event(0, [2], native)))
    assert scalar.recorders[0].values == [1, 2]
    assert array.recorders[0].values == [[1], [2]]
    one, other = (value for value, *_ in array.recorders[0].updates)
    assert isinstance(one, np.ndarray)
    assert isinstance(other, np.ndarray)
    assert one.dtype == other.dtype


@in_loop
async def test_long_runs_of_many_channels_keep_their_order() -> None:
    rig = subscribed(channels=3)
    rig.hear(*(event(n % 3, [float(n)], nanoseconds=n) for n in range(3000)))
    for cid, recorder in enumerate(rig.recorders):
        assert recorder.values == [float(n) for n in range(cid, 3000, 3)]
        assert recorder.updates[-1][1] % 10**9 == 2997 + cid
    assert rig.circuit.updates == 3000


@in_loop
async def test_a_run_is_broken_by_a_frame_of_another_type_and_the_same_size() -> None:
    rig = subscribed(channels=2)
    other = Rig("DOUBLE", "LONG", "FLOAT")
    other.hear(VERSION, created(0), created(1, ChannelType.LONG), created(2, ChannelType.FLOAT))
    other.hear(event(1, [1], ChannelType.LONG), event(2, [1.5], ChannelType.FLOAT), event(1, [2], ChannelType.LONG))
    assert [recorder.values for recorder in other.recorders] == [[], [1, 2], [1.5]]
    rig.hear(event(0, [1.0]), ECHO, event(1, [2.0]))
    assert [recorder.values for recorder in rig.recorders] == [[1.0], [2.0]]


class TestSizes:
    LIMIT = 16_384

    def array_channel(self) -> Rig:
        rig = Rig("PV", "NEXT", max_array_bytes=self.LIMIT)
        rig.hear(VERSION, created(0, ChannelType.DOUBLE, 100_000), created(1))
        return rig

    @in_loop
    async def test_a_value_of_exactly_the_limit_is_taken(self) -> None:
        rig = self.array_channel()
        rig.hear(event(0, np.arange(self.LIMIT // 8, dtype=">f8")))
        assert len(rig.recorders[0].values[0]) == self.LIMIT // 8

    @pytest.mark.parametrize("elements", [LIMIT // 8 + 1, 8100, 90_000], ids=["by one", "plain header", "extended"])
    @in_loop
    async def test_a_larger_value_is_refused_and_counted_and_the_next_is_read(self, elements: int) -> None:
        large = event(0, np.zeros(elements, dtype=">f8"))
        frames = large + event(1, [1.5])
        for piece in (len(frames), 16, 24, 1000, 65536):
            rig = self.array_channel()
            for at in range(0, len(frames), piece):
                rig.hear(frames[at : at + piece])
            assert rig.recorders[1].values == [1.5]
            assert rig.recorders[0].story == ["connected", "failed"]
            assert str(self.LIMIT) in str(rig.recorders[0].errors[0])
            assert (rig.circuit.updates, rig.circuit.refused_updates) == (1, 1)

    @in_loop
    async def test_a_large_value_in_many_pieces_is_put_together(self) -> None:
        rig = Rig("PV", max_array_bytes=10**7)
        rig.hear(VERSION, created(0, ChannelType.DOUBLE, 10**6))
        frame = event(0, np.arange(10**6, dtype=">f8"))
        assert struct.unpack_from(">H", frame, 2)[0] == 0xFFFF
        for at in range(0, len(frame), 1460):
            rig.hear(frame[at : at + 1460])
        assert np.array_equal(rig.recorders[0].updates[0][0], np.arange(10**6))

    @in_loop
    async def test_an_extended_header_is_not_believed_for_what_is_not_a_value(self) -> None:
        rig = self.array_channel()
        rig.hear(struct.pack(">HHHHIIII", 23, 0xFFFF, 0, 0, 0, 0, 2**32 - 1, 1))
        assert rig.transport.aborted
        assert [what for what, _ in rig.owner.told] == ["ready", "circuit lost"]


class TestTrouble:
    @in_loop
    async def test_an_error_status_carries_no_value(self) -> None:
        rig = subscribed()
        rig.hear(event(0, [1.0]), failed_event(0), failed_event(0), event(0, [2.0]))
        assert rig.recorders[0].values == [1.0, 2.0]
        assert [str(error) for error in rig.recorders[0].errors] == ["no value, but the error status 152"] * 2
        assert (rig.circuit.updates, rig.circuit.refused_updates) == (2, 2)

    @in_loop
    async def test_an_error_status_of_an_array_carries_no_value(self) -> None:
        rig = subscribed(count=10)
        frame = bytearray(event(0, [1.0, 2.0]))
        struct.pack_into(">I", frame, 8, 152)
        rig.hear(frame, event(0, [3.0, 4.0]))
        assert rig.recorders[0].values == [[3.0, 4.0]]
        assert len(rig.recorders[0].errors) == 1

    @pytest.mark.parametrize("error", [ValueError("no"), KeyError(0), RuntimeError("no"), AssertionError()])
    @in_loop
    async def test_a_listener_that_raises_loses_nothing_of_the_others_nor_its_next(self, error: Exception) -> None:
        rig = subscribed(channels=2)

        def raise_once() -> None:
            rig.recorders[0].on_update = lambda: None
            raise error

        rig.recorders[0].on_update = raise_once
        rig.hear(*(event(n % 2, [float(n)]) for n in range(6)))
        assert rig.recorders[0].values == [0.0, 2.0, 4.0]
        assert rig.recorders[1].values == [1.0, 3.0, 5.0]
        assert rig.recorders[0].errors == [error]
        assert not rig.transport.aborted

    @in_loop
    async def test_an_array_listener_that_raises_loses_nothing_either(self) -> None:
        rig = subscribed(count=5)
        error = RuntimeError()
        answers = iter([error, None, None])

        def maybe_raise() -> None:
            if (answer := next(answers)) is not None:
                raise answer

        rig.recorders[0].on_update = maybe_raise
        rig.hear(event(0, [1.0]), event(0, [2.0, 3.0]), event(0, []))
        assert rig.recorders[0].values == [[1.0], [2.0, 3.0], []]
        assert rig.recorders[0].errors == [error]

    @in_loop
    async def test_a_damaged_value_is_told_and_the_next_is_read(self) -> None:
        rig = subscribed(count=10)
        frame = bytearray(event(0, [1.0, 2.0]))
        struct.pack_into(">H", frame, 6, 9)
        rig.hear(frame, event(0, [3.0]))
        assert rig.recorders[0].values == [[3.0]]
        assert "too short" in str(rig.recorders[0].errors[0])

    @in_loop
    async def test_values_for_a_subscription_that_was_never_made_are_counted_and_said_once(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        rig = subscribed()
        rig.hear(event(77, [1.0]), event(78, [1.0]), event(0, [2.0]), event(77, [1.0, 2.0]))
        assert rig.recorders[0].values == [2.0]
        assert rig.circuit.refused_updates == 3
        assert len(caplog.records) == 1

    @in_loop
    async def test_errors_of_a_server_are_told_a_few_times_and_counted(self, caplog: pytest.LogCaptureFixture) -> None:
        rig = subscribed()
        request = caproto.EchoRequest()
        for cid in range(100):
            rig.hear(bytes(caproto.ErrorResponse(request, cid, 152, f"no access to {cid}")))
        assert len(caplog.messages) == 8
        assert "no access to 0" in caplog.messages[0]
        rig.circuit.close()
        assert caplog.messages[8:] == [m for m in caplog.messages if m.endswith("occurred 100 times")] != []

    JUNK = {
        "an HTTP server": b"HTTP/1.1 400 Bad Request\r\nServer: nginx\r\n\r\n" + b"x" * 20_000,
        "an unknown command": struct.pack(">HHHHII", 99, 0, 0, 0, 0, 0),
        "a channel that nobody asked for": created(12),
        "a channel twice": created(0) + created(0),
        "an unknown type": struct.pack(">HHHHII", 18, 0, 55, 1, 0, 7),
    }

    @pytest.mark.parametrize("junk", JUNK.values(), ids=JUNK)
    @in_loop
    async def test_what_breaks_the_protocol_ends_the_circuit_with_a_reason(self, junk: bytes) -> None:
        rig = Rig("PV", "OTHER")
        rig.hear(VERSION, created(1))
        rig.hear(event(1, [1.0]), junk, event(1, [2.0]))
        rig.hear(event(1, [3.0]))
        (_, (what, reason)) = rig.owner.told
        assert what == "circuit lost"
        assert reason.startswith("what it sent breaks the protocol: ")
        assert rig.transport.aborted
        assert rig.recorders[1].values == [1.0], "nothing is heard after the loss"

    @given(st.binary(min_size=1, max_size=300))
    def test_random_bytes_never_raise_and_end_the_circuit_at_most_once(self, junk: bytes) -> None:
        async def converse() -> None:
            rig = subscribed(channels=2)
            rig.hear(junk)
            rig.hear(junk)
            assert [what for what, _ in rig.owner.told].count("circuit lost") <= 1

        asyncio.run(converse())

    @settings(max_examples=150)
    @given(
        st.lists(
            st.tuples(
                st.sampled_from([0, 1, 6, 11, 12, 14, 15, 17, 18, 22, 23, 26, 27]),
                st.sampled_from([0, 0, 8, 16, 24]),
                st.integers(0, 40),
                st.integers(0, 3),
                st.sampled_from([0, 1, 2, 1000, 1001, 2**32 - 1]),
                st.sampled_from([0, 1, 2, 1000, 1001, 2**32 - 1]),
            ),
            max_size=8,
        )
    )
    def test_frames_of_known_commands_with_odd_content_never_raise(self, frames: list[tuple[int, ...]]) -> None:
        async def converse() -> None:
            rig = subscribed(channels=2)
            for frame in frames:
                rig.hear(struct.pack(">HHHHII", *frame) + bytes(frame[1]))
            assert [what for what, _ in rig.owner.told].count("circuit lost") <= 1

        asyncio.run(converse())

    @in_loop
    async def test_the_server_closes_and_the_owner_is_told_once(self) -> None:
        rig = subscribed()
        rig.circuit.connection_lost(ConnectionResetError("reset by peer"))
        rig.circuit.connection_lost(None)
        rig.circuit.drop("again")
        assert rig.owner.told[1:] == [("circuit lost", "reset by peer")]

    @in_loop
    async def test_a_channel_that_cannot_be_created_is_lost_and_the_circuit_stays(self) -> None:
        rig = Rig("PV", "OTHER")
        rig.hear(VERSION, bytes(caproto.CreateChFailResponse(0)), created(1), event(1, [1.0]))
        assert rig.owner.told == [("ready", ""), ("channel lost", "PV")]
        assert rig.channels[0].state is State.SEARCHING
        assert rig.recorders[1].values == [1.0]
        assert len(rig.circuit) == 1

    @in_loop
    async def test_a_channel_that_the_server_destroys_is_lost_and_can_be_created_again(self) -> None:
        rig = subscribed()
        rig.hear(bytes(caproto.ServerDisconnResponse(0)))
        assert rig.owner.told[1:] == [("channel lost", "PV0")]
        assert len(rig.circuit) == 0
        rig.channels[0].happened(Event.FOUND)
        rig.circuit.create(rig.channels[0])
        rig.hear(created(0, ChannelType.LONG, 1), event(0, [5], ChannelType.LONG))
        assert rig.recorders[0].values == [5]
        assert rig.recorders[0].kinds[-1].element is ValueType.INT32


class TestDescriptions:
    """Units and enum strings, and those who want them."""

    def wanting(self, native: ChannelType = ChannelType.DOUBLE, count: int = 1, name: str = "PV") -> Rig:
        rig = Rig()
        rig.add(name, wants_description=True)
        rig.hear(VERSION, created(0, native, count))
        return rig

    @in_loop
    async def test_who_does_not_want_it_costs_nothing(self) -> None:
        rig = subscribed(channels=3)
        assert sum(isinstance(command, caproto.EventAddRequest) for command in await rig.sent()) == 3
        rig.hear(event(0, [1.0]))
        assert rig.recorders[0].told == []

    @pytest.mark.parametrize("native", [native for native in NATIVE.values() if native], ids=lambda native: native.name)
    @pytest.mark.parametrize("count", [1, 1000])
    @in_loop
    async def test_it_is_asked_for_with_a_subscription_of_its_own(self, native: ChannelType, count: int) -> None:
        rig = self.wanting(native, count)
        value, request = (await rig.sent())[-2:]
        assert (value.data_type, value.subscriptionid) == (native + 14, 0)
        assert isinstance(request, caproto.EventAddRequest)
        assert (request.data_type, request.data_count, request.sid) == (native + 28, 1, 1000)
        assert request.mask == caproto.SubscriptionType.DBE_PROPERTY
        assert request.subscriptionid == PROPERTIES

    @in_loop
    async def test_it_is_told_once_and_when_it_has_changed(self) -> None:
        rig = self.wanting()
        rig.hear(event(0, [1.0]), properties(0, units=b"mm"), event(0, [2.0]), properties(0, units=b"mm"))
        rig.hear(properties(0, units=b"\xb5m"), properties(0, units=b"\xb5m"), properties(0))
        assert rig.recorders[0].descriptions == [(2, "mm", ()), (3, "µm", ()), (3, "", ())]
        assert rig.recorders[0].values == [1.0, 2.0]
        assert (rig.circuit.updates, rig.circuit.property_updates, rig.circuit.refused_updates) == (2, 5, 0)

    @in_loop
    async def test_no_units_are_told_too(self) -> None:
        rig = self.wanting()
        rig.hear(properties(0))
        assert rig.recorders[0].told == [("", ())]

    @in_loop
    async def test_enum_strings(self) -> None:
        rig = self.wanting(ChannelType.ENUM)
        rig.hear(*(properties(0, ChannelType.ENUM, choices=choices) for choices in ([b"a", b"b"], [b"a", b"c"])))
        assert rig.recorders[0].told == [("", ("a", "b")), ("", ("a", "c"))]

    @pytest.mark.parametrize(("native", "name"), [(ChannelType.STRING, "PV"), (ChannelType.CHAR, "PV.DESC$")])
    @in_loop
    async def test_texts_have_none_and_it_is_not_asked_for(self, native: ChannelType, name: str) -> None:
        rig = self.wanting(native, 60, name)
        assert sum(isinstance(command, caproto.EventAddRequest) for command in await rig.sent()) == 1
        assert rig.recorders[0].descriptions == [(1, "", ())]
        rig.circuit.describe(rig.channels[0])
        assert rig.recorders[0].told == [("", ())] * 2

    @in_loop
    async def test_an_error_status_is_not_heard(self) -> None:
        rig = self.wanting()
        frame = bytearray(properties(0, units=b"mm"))
        struct.pack_into(">I", frame, 8, 152)
        rig.hear(frame, properties(0, units=b"cm"))
        assert rig.recorders[0].story == ["connected"]
        assert rig.recorders[0].told == [("cm", ())]
        assert (rig.circuit.refused_updates, rig.circuit.property_updates) == (0, 1)

    @in_loop
    async def test_what_cannot_be_read_is_told_and_the_next_is_read(self) -> None:
        rig = self.wanting()
        rig.hear(struct.pack(">HHHHII", 1, 8, 34, 1, 1, PROPERTIES) + bytes(8), properties(0, units=b"mm"))
        assert "too short" in str(rig.recorders[0].errors[0])
        assert rig.recorders[0].told == [("mm", ())]

    @in_loop
    async def test_who_comes_to_want_it_is_told_then(self) -> None:
        rig = subscribed()
        await rig.sent()
        rig.circuit.describe(rig.channels[0])
        rig.circuit.describe(rig.channels[0])
        (request,) = await rig.sent()
        assert request.mask == caproto.SubscriptionType.DBE_PROPERTY
        rig.hear(properties(0, units=b"mm"))
        assert rig.recorders[0].told == [("mm", ())]
        rig.circuit.describe(rig.channels[0])
        assert rig.recorders[0].told == [("mm", ())] * 2
        assert await rig.sent() == []

    @in_loop
    async def test_it_is_asked_for_again_when_the_channel_was_lost(self) -> None:
        rig = self.wanting()
        rig.hear(properties(0, units=b"mm"), bytes(caproto.ServerDisconnResponse(0)))
        await rig.sent()
        rig.channels[0].happened(Event.FOUND)
        rig.circuit.create(rig.channels[0])
        rig.hear(created(0, ChannelType.LONG, 1))
        assert (await rig.sent())[-1].data_type == ChannelType.CTRL_LONG
        rig.hear(properties(0, ChannelType.LONG, units=b"mm"))
        assert rig.recorders[0].told == [("mm", ())] * 2

    @in_loop
    async def test_who_has_left_hears_nothing_more(self) -> None:
        rig = self.wanting()
        rig.circuit.give_up(rig.channels[0])
        rig.hear(properties(0, units=b"mm"), bytes(caproto.ClearChannelResponse(1000, 0)))
        rig.hear(properties(0, units=b"mm"))
        assert rig.recorders[0].told == []
        assert rig.recorders[0].errors == []
        assert not rig.transport.aborted

    @in_loop
    async def test_who_leaves_when_it_connects_is_told_nothing(self) -> None:
        rig = Rig()
        channel = rig.add("PV", wants_description=True)
        rig.recorders[0].on_connect = lambda: rig.circuit.give_up(channel)
        rig.hear(VERSION, created(0, ChannelType.STRING))
        assert rig.recorders[0].story == ["connected"]
        assert rig.recorders[0].told == []


@pytest.mark.parametrize("count", [1, 60])
@in_loop
async def test_characters_are_a_text_where_the_name_says_so(count: int) -> None:
    rig = Rig("PV.DESC$", "PV.DESC")
    rig.hear(VERSION, created(0, ChannelType.CHAR, count), created(1, ChannelType.CHAR, 60))
    for raw in (b"on\0junk", "5 µm".encode(), b"5 \xb5m", b"", b"x", b"\0"):
        rig.hear(*(event(n, np.frombuffer(raw, "u1"), ChannelType.CHAR) for n in range(2)))
    rig.hear(extended(event(0, [ord("y")], ChannelType.CHAR)))
    text, numbers = rig.recorders
    assert (text.kinds[0].element, text.kinds[0].is_array) == (ValueType.STRING, False)
    assert text.values == ["on", "5 µm", "5 µm", "", "x", "", "y"]
    assert numbers.values[0] == list(b"on\0junk")
    assert text.updates[0][1:] == (TIME_NS, 0, 0)
    rig.hear(failed_event(0, ChannelType.CHAR))
    assert len(text.errors) == 1


@in_loop
async def test_a_listener_is_told_which_server_it_is() -> None:
    assert subscribed().recorders[0].servers == ["127.0.0.1:5064"]


class TestGivingUp:
    """Unsubscribing at every moment of a channel's life."""

    @in_loop
    async def test_before_the_server_has_answered(self) -> None:
        rig = Rig("PV", "OTHER")
        rig.circuit.give_up(rig.channels[0])
        rig.hear(VERSION)
        assert [command.name for command in (await rig.sent())[3:]] == ["OTHER"]

    @in_loop
    async def test_while_creating_the_channel_is_cleared_when_it_comes(self) -> None:
        rig = Rig("PV")
        rig.hear(VERSION)
        await rig.sent()
        rig.circuit.give_up(rig.channels[0])
        rig.hear(created(0), event(0, [1.0]))
        (cleared,) = await rig.sent()
        assert isinstance(cleared, caproto.ClearChannelRequest)
        assert (cleared.cid, cleared.sid) == (0, 1000)
        rig.hear(bytes(caproto.ClearChannelResponse(1000, 0)))
        assert rig.recorders[0].heard == []
        assert not rig.transport.aborted

    @in_loop
    async def test_while_subscribed_it_is_cleared_and_late_values_are_not_heard(self) -> None:
        rig = subscribed(channels=2)
        await rig.sent()
        rig.hear(event(0, [1.0]))
        rig.circuit.give_up(rig.channels[0])
        rig.hear(event(0, [2.0]), event(1, [3.0]), extended(event(0, [4.0])), failed_event(0))
        rig.hear(bytes(caproto.ClearChannelResponse(1000, 0)), event(1, [5.0]))
        assert [recorder.values for recorder in rig.recorders] == [[1.0], [3.0, 5.0]]
        assert rig.recorders[0].errors == []
        (cleared,) = await rig.sent()
        assert isinstance(cleared, caproto.ClearChannelRequest)

    @pytest.mark.parametrize("count", [1, 10])
    @in_loop
    async def test_in_the_middle_of_a_read_nothing_more_is_heard(self, count: int) -> None:
        rig = subscribed(count=count, channels=2)
        rig.recorders[0].on_update = lambda: rig.circuit.give_up(rig.channels[0])
        rig.hear(*(event(n % 2, [float(n)]) for n in range(6)))
        assert len(rig.recorders[0].values) == 1
        assert len(rig.recorders[1].values) == 3
        assert rig.recorders[0].errors == []

    @in_loop
    async def test_a_connection_that_opens_after_the_circuit_was_closed_is_closed_at_once(self) -> None:
        rig = Rig("PV")
        late = Rig("PV")
        late.circuit.close()
        late.circuit.connection_made(rig.transport)  # type: ignore[arg-type]
        assert rig.transport.aborted
        assert late.owner.told == []

    @in_loop
    async def test_what_was_asked_for_leaves_before_the_circuit_is_closed(self) -> None:
        rig = subscribed()
        await rig.sent()
        rig.circuit.give_up(rig.channels[0])
        rig.circuit.close()
        assert rig.transport.closed
        assert isinstance((await rig.sent())[0], caproto.ClearChannelRequest)
        rig.circuit.connection_lost(None)
        assert rig.owner.told == [("ready", "")]


@in_loop
async def test_an_echo_is_asked_for_only_when_the_server_has_answered_once() -> None:
    rig = Rig()
    await rig.sent()
    rig.circuit.ask_for_echo()
    assert await rig.sent() == []
    rig.hear(VERSION)
    rig.circuit.heard = False
    rig.circuit.ask_for_echo()
    (echo,) = await rig.sent()
    assert isinstance(echo, caproto.EchoRequest)
    rig.hear(ECHO)
    assert rig.circuit.heard


@in_loop
async def test_requests_of_one_turn_leave_in_one_write() -> None:
    rig = Rig(*(f"PV{n}" for n in range(100)))
    await rig.sent()
    writes: list[bytes] = []
    rig.transport.write = writes.append  # type: ignore[method-assign]
    rig.hear(VERSION)
    await asyncio.sleep(0)
    assert len(writes) == 1
