"""What `forwarder streams add`, `remove`, `replace` and `clear` do: look, ask, send, wait, say what came of it."""

import asyncio
import difflib
import time
from collections.abc import Callable, Sequence

from ..commands import parse
from ..encode import SCHEMAS
from ..errors import BadCommand, ForwarderError
from ..kafka import admin
from ..model import Add, Command, Replace, Stream
from ..remote.connection import Remote, Unclear, Unknown, connected
from ..remote.orders import messages
from ..remote.status import Status
from ..remote.verdict import Outcome, Sent, Verdict, judge, preview
from ..settings.load import Reading
from ..settings.types import ClusterSettings, Dialect
from ..tools.destinations import topics_of
from . import exits
from .streams_shown import COLUMNS, remote, rows
from .terminal import BAD, DOUBTFUL, FAINT, GOOD, Styled, Terminal, count_of

_ASKED_FROM = 2
"""Closing so many streams is asked for first."""
_SHOWN = 20
_SHOWN_EVERY_S = 0.25


def order(
    reading: Reading,
    terminal: Terminal,
    command: Command,
    dialect: str,
    timeout_s: float,
    *,
    missing_topics: bool = True,
    sure: bool = False,
) -> int:
    """Have a command obeyed; the exit code. Raises BadCommand for one that no forwarder would obey."""
    spoken = Dialect(dialect)
    for message in messages(command, spoken):
        parse(message)
    streams = command.streams if isinstance(command, Add | Replace) else ()
    if spoken is Dialect.FC00:
        _check_schemas(streams)
    return asyncio.run(_Order(reading, terminal, command, spoken, timeout_s).carry_out(streams, missing_topics, sure))


class _Order:
    def __init__(
        self, reading: Reading, terminal: Terminal, command: Command, dialect: Dialect, timeout_s: float
    ) -> None:
        self._reading = reading
        self._terminal = terminal
        self._command = command
        self._dialect = dialect
        self._timeout_s = timeout_s

    async def carry_out(self, streams: Sequence[Stream], missing_topics: bool, sure: bool) -> int:
        if not missing_topics:
            with self._terminal.waiting("looking for the topics"):
                await _check_topics(self._reading, streams)
        async with remote(self._reading, deaf=not self._timeout_s) as forwarder:
            with self._terminal.waiting("reading the status"):
                before = await forwarder.status()
                known = await _streams(forwarder, before)
            self._ask(known, sure)
            sent, before = await forwarder.order(self._command, self._dialect)
            if not self._timeout_s:
                self._terminal.note(f"sent to {_place(sent)}; not waited for")
                return exits.DONE
            with self._terminal.progress("waiting for the forwarder to confirm", "s") as show:
                try:
                    verdict, after = await self._wait(forwarder, sent, before, show)
                except asyncio.CancelledError:
                    self._terminal.note(f"sent to {_place(sent)}, which is not taken back; not confirmed yet", DOUBTFUL)
                    raise
            return self._say(sent, verdict, known, before, after)

    def _ask(self, known: Sequence[Stream] | None, sure: bool) -> None:
        """Streams that are closed miss what their PVs say meanwhile: not many of them by a slip."""
        if isinstance(self._command, Add):
            return
        if known is None:
            what, many = "it is not known how many streams this closes", True
        else:
            _, closed = preview(known, self._command)
            what = f"this closes {len(closed)} of {count_of(len(known), 'stream')}"
            many = len(closed) >= _ASKED_FROM
        if many and not sure:
            self._terminal.confirm(what, otherwise="give --yes")

    async def _wait(
        self, forwarder: Remote, sent: Sent, before: Status | None, show: Callable[[float, float], None]
    ) -> tuple[Verdict, Status | None]:
        newest = before
        showing = asyncio.create_task(self._show_time(show), name="time")
        try:
            async with asyncio.timeout(self._timeout_s):
                async for newest in forwarder.statuses():
                    verdict = judge(sent, before, newest)
                    if verdict.outcome is not Outcome.PENDING:
                        return verdict, newest
        except TimeoutError:
            pass
        finally:
            showing.cancel()
            await asyncio.gather(showing, return_exceptions=True)
        return Verdict(Outcome.PENDING), newest

    async def _show_time(self, show: Callable[[float, float], None]) -> None:
        begin = time.monotonic()
        while True:
            show(time.monotonic() - begin, self._timeout_s)
            await asyncio.sleep(_SHOWN_EVERY_S)

    def _say(
        self, sent: Sent, verdict: Verdict, known: Sequence[Stream] | None, before: Status | None, after: Status | None
    ) -> int:
        terminal = self._terminal
        if verdict.outcome is Outcome.REFUSED:
            terminal.note(f"refused: {verdict.reason}", BAD)
            return exits.REFUSED
        if verdict.outcome is Outcome.PENDING:
            why_not = _why_not(before, after)
            terminal.note(f"sent to {_place(sent)}, but not confirmed within {self._timeout_s:g} s: {why_not}", BAD)
            return exits.UNCONFIRMED
        assert after is not None
        if known is not None and after.streams is not None:
            self._show_changes(known, after.streams, verdict.outcome)
        if verdict.outcome is Outcome.PARTLY:
            terminal.note(f"not all of it was done; the last refusal: {verdict.reason}", BAD)
        terminal.note(
            f"{after.service_id or 'the forwarder'} forwards {count_of(after.streams_count, 'stream')}",
            GOOD if verdict.outcome is Outcome.DONE else DOUBTFUL,
        )
        return exits.DONE if verdict.outcome is Outcome.DONE else exits.REFUSED

    def _show_changes(self, before: Sequence[Stream], after: Sequence[Stream], outcome: Outcome) -> None:
        opened, closed = preview(before, Replace(tuple(after)))
        changes = [("+", GOOD, each) for each in opened] + [("-", DOUBTFUL, each) for each in closed]
        if not changes:
            if outcome is Outcome.DONE:
                self._terminal.note("nothing had to be changed", FAINT)
            return
        shown = changes[:_SHOWN]
        cells = rows([each for _, _, each in shown])
        self._terminal.table(
            (COLUMNS[0]._replace(name=""), *COLUMNS),
            [(Styled(sign, style), *row) for (sign, style, _), row in zip(shown, cells, strict=True)],
        )
        if more := len(changes) - len(shown):
            self._terminal.note(f"and {more} more: {len(opened)} opened and {len(closed)} closed in all", FAINT)


async def _streams(forwarder: Remote, status: Status | None) -> tuple[Stream, ...] | None:
    """What is forwarded, as far as it can be known."""
    if status is None:
        return None
    try:
        return await forwarder.streams(status)
    except (Unknown, Unclear):
        return None


def _place(sent: Sent) -> str:
    return f"{sent.topic}[{sent.partition}]@{sent.offset}"


def _why_not(before: Status | None, after: Status | None) -> str:
    if after is None:
        return "no such forwarder has ever sent a status there"
    if after is before:
        return f"{after.service_id} has said nothing since"
    if after.state != "running":
        return f"{after.service_id} is {after.state}"
    if after.obeyed is not None and (before is None or after.obeyed == before.obeyed):
        return f"{after.service_id} is alive, and has not obeyed it"
    return f"{after.service_id} is alive, and its streams are not those"


def _check_schemas(streams: Sequence[Stream]) -> None:
    for each in streams:
        if each.schema not in SCHEMAS:
            near = difflib.get_close_matches(each.schema, SCHEMAS, n=1)
            hint = f'; did you mean "{near[0]}"?' if near else f"; there are {', '.join(sorted(SCHEMAS))}"
            raise BadCommand(f"{each.channel}: no schema {each.schema!a}{hint}")


async def _check_topics(reading: Reading, streams: Sequence[Stream]) -> None:
    """Refuse topics that do not exist, where nobody makes them by asking: a forwarder would wait for them unseen."""
    wanted: dict[ClusterSettings, set[str]] = {}
    for cluster, topic in topics_of(reading.settings, streams):
        if not cluster.create_topics:
            wanted.setdefault(cluster, set()).add(topic)
    for cluster, topics in wanted.items():
        async with connected(cluster) as connections:
            facts = await admin.describe(connections, sorted(topics))
        if missing := [name for name, topic in facts.topics.items() if topic.missing]:
            raise ForwarderError(
                f"{', '.join(missing)} of {connections.name}: no such topic, and nothing would arrive; "
                "see forwarder topics create, or give --missing-topics"
            )
