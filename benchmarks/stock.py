"""The stock reference: the libraries' own functions put together, as one would write it first.

python -m benchmarks.stock CA_ADDRESS BROKER TOPIC COUNT ELEMENTS KIND
"""

import asyncio
import os
import signal
import sys

from aiokafka import AIOKafkaProducer
from caproto.asyncio.client import Context
from streaming_data_types import serialise_f144

from benchmarks.pvs import Pvs

_EPOCH_S = 631_152_000


async def main(broker: str, topic: str, pvs: Pvs) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=broker, enable_idempotence=True, acks="all", linger_ms=20)
    await producer.start()
    context = Context()

    async def forward(subscription, response) -> None:
        name = subscription.pv.name
        stamp = response.metadata.stamp
        time_ns = (stamp.secondsSinceEpoch + _EPOCH_S) * 1_000_000_000 + stamp.nanoSeconds
        message = serialise_f144(name, response.data[0], time_ns)
        await producer.send(topic, message, key=name.encode(), timestamp_ms=time_ns // 1_000_000)

    subscriptions = []
    for pv in await context.get_pvs(*pvs.names()):
        await pv.wait_for_connection()
        subscription = pv.subscribe(data_type="time")
        subscription.add_callback(forward)
        subscriptions.append(subscription)

    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await stop.wait()
    await context.disconnect()
    await producer.stop()


if __name__ == "__main__":
    ca_address, broker, topic, count, elements, kind = sys.argv[1:]
    os.environ.update(EPICS_CA_ADDR_LIST=ca_address, EPICS_CA_AUTO_ADDR_LIST="NO")
    asyncio.run(main(broker, topic, Pvs(int(count), int(elements), kind=kind)))
