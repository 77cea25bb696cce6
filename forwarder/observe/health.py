"""What probes ask: whether the service has to be started again, and whether it does its work."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from aiohttp import web

from .http.guard import KNOWN
from .measured import Condition

HEARTBEAT_S = 20.0
"""How old the last look at the service's parts may be; it is to come every second."""
PROGRESS_S = 15.0
"""How long a cluster may acknowledge nothing while messages wait for it: longer than a broker takes to start again."""
OK = "ok"
_FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Backlog:
    """What one cluster has to do."""

    acknowledged: int
    """Messages, since the start."""
    waiting: int


@dataclass(frozen=True, slots=True)
class Vitals:
    """What health is judged by."""

    condition: Condition
    config_topics: Mapping[str, bool]
    """By name: whether it is read."""
    backlogs: Mapping[str, Backlog]
    """By cluster."""


@dataclass(slots=True)
class Progress:
    """Whether clusters take what waits for them. To be told every second."""

    _seen: dict[str, tuple[int, float]] = field(default_factory=dict[str, tuple[int, float]])
    """By cluster: how many it had acknowledged, and when that changed or nothing waited."""

    def look(self, backlogs: Mapping[str, Backlog], now: float) -> None:
        """So it is at this time, by a clock that never goes back."""
        for cluster, backlog in backlogs.items():
            acknowledged, _ = self._seen.get(cluster, (-1, now))
            if backlog.acknowledged != acknowledged or not backlog.waiting:
                self._seen[cluster] = backlog.acknowledged, now

    def silent_s(self, cluster: str, now: float) -> float:
        """How long it has taken nothing of what waits."""
        return now - self._seen[cluster][1] if cluster in self._seen else 0.0


class Probes:
    """Answers `/live` and `/ready` with 200 or 503, and says of each check what is wrong."""

    def __init__(self, live: Callable[[], dict[str, str]], ready: Callable[[], dict[str, str]]) -> None:
        """Both give `ok` or what is wrong, by check."""
        self._live = live
        self._ready = ready

    def add_routes(self, app: web.Application) -> None:
        app.router.add_get("/live", self._answer_live)
        app.router.add_get("/ready", self._answer_ready)

    async def _answer_live(self, request: web.Request) -> web.Response:
        return _answer(request, "live", self._live())

    async def _answer_ready(self, request: web.Request) -> web.Response:
        return _answer(request, "ready", self._ready())


def live_checks(stuck: Sequence[str], heartbeat_s: float | None, *, stopping: bool) -> dict[str, str]:
    """What only a new start can mend: parts that do not get on, or that nobody looks at any more."""
    late = heartbeat_s is not None and heartbeat_s > HEARTBEAT_S
    # Parts that a stop has ended are not stuck, and it has an end of its own.
    names = "" if stopping else ", ".join(stuck)
    return {
        "parts": f"stuck: {names}" if names else OK,
        "heartbeat": f"none for {heartbeat_s:.0f} s" if late else OK,
    }


class Health:
    """How the service is, for those who ask whether it has to be started again, and whether it does its work."""

    def __init__(self, vitals: Callable[[], Vitals], clock: Callable[[], float]) -> None:
        """`clock` gives seconds that never go back."""
        self._vitals = vitals
        self._clock = clock
        self._progress = Progress()
        self.add_routes = Probes(self.live, self.ready).add_routes

    def look(self) -> None:
        """Remember how things are. To be called every second."""
        self._progress.look(self._vitals().backlogs, self._clock())

    def live(self) -> dict[str, str]:
        """What only a new start of the service can mend: by check, `ok` or what is wrong."""
        condition = self._vitals().condition
        return live_checks(condition.stuck, condition.heartbeat_s, stopping=condition.stopping)

    def ready(self) -> dict[str, str]:
        """What keeps the service from its work: by check, `ok` or what is wrong. PVs that are away do not."""
        vitals = self._vitals()
        now = self._clock()
        self._progress.look(vitals.backlogs, now)
        unread = [name for name, is_read in vitals.config_topics.items() if not is_read]
        silent = [
            f"{cluster} acknowledged nothing for {silent_s:.0f} s, and {backlog.waiting} messages wait"
            for cluster, backlog in vitals.backlogs.items()
            if (silent_s := self._progress.silent_s(cluster, now)) > PROGRESS_S
        ]
        return {
            "service": "it is stopping" if vitals.condition.stopping else OK,
            "state": OK if vitals.condition.restored else "the stored state is not read yet",
            "config": f"not read: {', '.join(unread)}" if unread else OK,
            "kafka": "; ".join(silent) or OK,
        }


def _answer(request: web.Request, what: str, checks: dict[str, str]) -> web.Response:
    well = all(found == OK for found in checks.values())
    if not request[KNOWN]:
        # Who has no password is not told the names of topics and clusters.
        checks = {check: found if found == OK else _FAILED for check, found in checks.items()}
    return web.json_response({what: well, "checks": checks}, status=200 if well else 503)
