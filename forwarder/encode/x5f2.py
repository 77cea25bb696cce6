"""x5f2: the service's own status. Format: schemas/x5f2.fbs."""

from dataclasses import dataclass

from flatbuffers import Builder

from .template import finish

SCHEMA = "x5f2"


@dataclass(frozen=True, slots=True)
class Sender:
    """Who reports: the fields of a status message that stay the same."""

    software_name: str
    software_version: str
    service_id: str
    host_name: str
    process_id: int
    update_interval_ms: int


def encode(sender: Sender, status_json: str) -> bytes:
    """The status message of a service, with its state as JSON text."""
    builder = Builder(1024 + len(status_json))
    texts = [
        builder.CreateString(text)
        for text in (sender.software_name, sender.software_version, sender.service_id, sender.host_name)
    ]
    status = builder.CreateString(status_json)
    builder.StartObject(7)
    for slot, text in enumerate(texts):
        builder.PrependUOffsetTRelativeSlot(slot, text, None)
    builder.PrependUint32Slot(4, sender.process_id, None)
    builder.PrependUint32Slot(5, sender.update_interval_ms, None)
    builder.PrependUOffsetTRelativeSlot(6, status, None)
    return finish(builder, builder.EndObject(), SCHEMA)
