"""The bare reference: decode, patch, append, send, and nothing else.

    python -m benchmarks.bare CA_ADDRESS BROKER TOPIC COUNT ELEMENTS KIND

One circuit to one server, one topic, one partition. It never reconnects, never checks, reports nothing, bounds
nothing: what is left is the least that has to be done for an update in Python, to compare the forwarder with.
"""

import asyncio
import signal
import socket
import struct
import sys

import numpy as np
import uvloop
from aiokafka import AIOKafkaProducer

from benchmarks.pvs import Pvs
from benchmarks.template import Template

_HEADER = struct.Struct(">HHHHII")
_VERSION, _EVENT_ADD, _SEARCH, _CREATE_CHANNEL = 0, 1, 6, 18
_MINOR_VERSION = 13
_TIME_DOUBLE = 20
_VALUE_AND_ALARM = 5
_SCALAR_PAYLOAD = 24
# Header and value of one DBR_TIME_DOUBLE event: command, size, type, count, status, subscription; alarm status and
# severity, seconds and nanoseconds since 1990, padding, value.
_EVENT = struct.Struct(">HHHHIIHHII4xd")
_STAMP = struct.Struct(">HHII")
_EPOCH_S = 631_152_000
_LINGER_S = 0.02
_BATCH_BYTES = 900_000


class Circuit(asyncio.Protocol):
    """Subscribes to all PVs and turns each event into a record in `waiting`."""

    def __init__(self, pvs: Pvs) -> None:
        self.names = pvs.names()
        self.elements = pvs.elements
        self.keys = [name.encode() for name in self.names]
        self.templates = [Template(name, pvs.elements) for name in self.names]
        self.waiting: list[tuple[bytes, bytes, int]] = []
        self.rest = b""

    def connection_made(self, transport: asyncio.Transport) -> None:
        self.transport = transport
        transport.write(_HEADER.pack(_VERSION, 0, 0, _MINOR_VERSION, 0, 0))
        transport.writelines(_named(_CREATE_CHANNEL, name, cid, _MINOR_VERSION) for cid, name in enumerate(self.names))

    def data_received(self, data: bytes) -> None:
        if self.rest:
            data = self.rest + data
        take = self._scalars if self.elements == 1 else self._frames
        self.rest = data[take(data) :]

    def _scalars(self, data: bytes) -> int:
        """Everything in `data` that is whole; gives where the rest begins."""
        templates, keys, append = self.templates, self.keys, self.waiting.append
        unpack, put_time, put_value = _EVENT.unpack_from, Template.TIME.pack_into, Template.VALUE.pack_into
        at, last = 0, len(data) - _EVENT.size
        while at <= last:
            command, size, _, _, _, number, _, _, seconds, nanoseconds, value = unpack(data, at)
            if command != _EVENT_ADD or size != _SCALAR_PAYLOAD:
                break
            template = templates[number]
            message = template.message
            time_ns = (seconds + _EPOCH_S) * 1_000_000_000 + nanoseconds
            put_time(message, template.time_at, time_ns)
            put_value(message, template.value_at, value)
            append((keys[number], bytes(message), time_ns // 1_000_000))
            at += 40
        return self._frames(data, at)

    def _frames(self, data: bytes, at: int = 0) -> int:
        """Frames of any kind and size."""
        while at + _HEADER.size <= len(data):
            command, size, _, count, first, second = _HEADER.unpack_from(data, at)
            payload = at + _HEADER.size
            if payload + size > len(data):
                break
            if command == _EVENT_ADD:
                self._event(data, payload, count, second)
            elif command == _CREATE_CHANNEL:
                self._subscribe(first, second)
            at = payload + size
        return at

    def _event(self, data: bytes, payload: int, count: int, number: int) -> None:
        _, _, seconds, nanoseconds = _STAMP.unpack_from(data, payload)
        template = self.templates[number]
        time_ns = (seconds + _EPOCH_S) * 1_000_000_000 + nanoseconds
        Template.TIME.pack_into(template.message, template.time_at, time_ns)
        template.values[:] = np.frombuffer(data, ">f8", count, payload + 16)
        self.waiting.append((self.keys[number], bytes(template.message), time_ns // 1_000_000))

    def _subscribe(self, cid: int, sid: int) -> None:
        request = _HEADER.pack(_EVENT_ADD, 16, _TIME_DOUBLE, self.elements, sid, cid)
        self.transport.write(request + struct.pack(">3fH2x", 0, 0, 0, _VALUE_AND_ALARM))


def _named(command: int, name: str, first: int, second: int) -> bytes:
    payload = name.encode() + b"\0" * (8 - len(name.encode()) % 8)
    return _HEADER.pack(command, len(payload), 0, _MINOR_VERSION, first, second) + payload


def find_server(host: str, port: int, name: str) -> int:
    """The TCP port of the server that has this PV, and, here, all the others too."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.settimeout(5)
        udp.sendto(_HEADER.pack(_VERSION, 0, 0, _MINOR_VERSION, 0, 0) + _named(_SEARCH, name, 1, 1), (host, port))
        answer = udp.recv(1024)
    at = _HEADER.size if answer[:2] == b"\0\0" else 0
    _, _, tcp_port, _, _, _ = _HEADER.unpack_from(answer, at)
    return tcp_port


async def send(producer: AIOKafkaProducer, topic: str, circuit: Circuit) -> None:
    """Everything that came since the last tick, in batches, one after the other."""
    loop = asyncio.get_running_loop()
    due = loop.time()
    while True:
        due = max(due + _LINGER_S, loop.time())
        await asyncio.sleep(due - loop.time())
        records, circuit.waiting = circuit.waiting, []
        acknowledged = []
        batch = producer.create_batch()
        for key, value, timestamp in records:
            if batch.append(key=key, value=value, timestamp=timestamp) is None:
                acknowledged.append(await _send(producer, topic, batch))
                batch = producer.create_batch()
                batch.append(key=key, value=value, timestamp=timestamp)
        if batch.record_count():
            acknowledged.append(await _send(producer, topic, batch))
        await asyncio.gather(*acknowledged)


async def _send(producer: AIOKafkaProducer, topic: str, batch: object) -> asyncio.Future:
    batch.close()
    return await producer.send_batch(batch, topic, partition=0)


async def main(ca_address: str, broker: str, topic: str, pvs: Pvs) -> None:
    host, port = ca_address.split(":")
    producer = AIOKafkaProducer(
        bootstrap_servers=broker, enable_idempotence=True, acks="all", max_batch_size=_BATCH_BYTES
    )
    await producer.start()
    loop = asyncio.get_running_loop()
    tcp_port = find_server(host, int(port), pvs.names()[0])
    _, circuit = await loop.create_connection(lambda: Circuit(pvs), host, tcp_port)
    sending = asyncio.create_task(send(producer, topic, circuit))
    loop.add_signal_handler(signal.SIGTERM, sending.cancel)
    await asyncio.wait([sending])
    await producer.stop()
    if not sending.cancelled():
        sending.result()


if __name__ == "__main__":
    count, elements, kind = sys.argv[4:]
    uvloop.run(main(*sys.argv[1:4], Pvs(int(count), int(elements), kind=kind)))
