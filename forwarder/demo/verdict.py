"""Whether the demo went well: what the forwarder says it did against what was seen from outside."""

from dataclasses import dataclass
from typing import Any

_SCHEMAS = ("f142", "f144")
"""Of blocks and of the run log."""


@dataclass(frozen=True, slots=True)
class Verdict:
    summary: str
    complaints: tuple[str, ...]
    """Everything that is wrong; empty if all went well."""


def judge(last_status: dict[str, Any] | None, seen: int, exit_code: int) -> Verdict:
    """`seen` is how many values the consumer read, from the beginning of the topic to its end."""
    status = last_status or {}
    statistics = status.get("statistics", {})
    received = statistics.get("updates_received", 0)
    by_schema = statistics.get("messages_by_schema", {})
    forwarded = sum(by_schema.get(schema, 0) for schema in _SCHEMAS)
    complaints: list[str] = []
    if exit_code != 0:
        complaints.append(f"the forwarder ended with exit code {exit_code}")
    if (state := status.get("state")) != "stopped":
        complaints.append(f"the forwarder's last status says {state!r}, not 'stopped'")
    if received != forwarded:
        complaints.append(
            f"{received} updates were received but {forwarded} acknowledged by the broker"
            f" ({statistics.get('messages_waiting', 0)} waiting, {statistics.get('messages_dropped', 0)} dropped)"
        )
    if forwarded != seen:
        complaints.append(f"{forwarded} messages were acknowledged by the broker but {seen} are in the topic")
    if seen == 0:
        complaints.append("nothing was forwarded at all")
    summary = f"demo: {received} updates received, {forwarded} forwarded, {seen} seen by the consumer"
    return Verdict(summary, tuple(complaints))
