"""A real Prometheus, and promtool: Debian's package `prometheus` has both."""

import json
import os
import shutil
import subprocess
import tempfile
import urllib.parse
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Any

from forwarder.demo.child import Child
from tests.support.ports import LOOPBACK, free_port
from tests.support.processes import Server, spawn
from tests.support.waiting import wait_until

_READY_WITHIN_S = 30.0
_ANSWER_WITHIN_S = 10.0


def _program(name: str) -> str:
    """Where it is: installed, or where tests/support/need.sh has put it."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "epics-kafka-forwarder"
    return shutil.which(name) or str(cache / "prometheus" / name)


def promtool(*arguments: str, text: str | None = None) -> str:
    """What it says. Raises AssertionError with that if it finds fault."""
    done = subprocess.run(
        [_program("promtool"), *arguments], input=text, capture_output=True, text=True, timeout=60, check=False
    )
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    return said


class Prometheus(Server):
    """Scrapes targets, as the job `forwarder`, every half second."""

    def __init__(self, *targets: str, rules: Path) -> None:
        """`targets` are `host:port`; `rules` is a file of alerts."""
        super().__init__()
        self.port = free_port()
        self._folder = tempfile.TemporaryDirectory(prefix="prometheus-")
        self._configuration = Path(self._folder.name) / "prometheus.json"
        # JSON is YAML too.
        self._configuration.write_text(
            json.dumps(
                {
                    "global": {"scrape_interval": "500ms", "evaluation_interval": "500ms"},
                    "rule_files": [str(rules)],
                    "scrape_configs": [{"job_name": "forwarder", "static_configs": [{"targets": list(targets)}]}],
                }
            )
        )

    def _launch(self) -> Child:
        return spawn(
            "prometheus",
            [
                _program("prometheus"),
                f"--config.file={self._configuration}",
                f"--storage.tsdb.path={self._folder.name}/data",
                f"--web.listen-address={LOOPBACK}:{self.port}",
            ],
        )

    def _wait_until_ready(self, child: Child) -> None:
        wait_until(lambda: child.exit_code is not None or self._is_ready(), _READY_WITHIN_S, what="Prometheus is ready")
        if child.exit_code is not None:
            raise TimeoutError(f"Prometheus ended with exit code {child.exit_code}")

    def _is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://{LOOPBACK}:{self.port}/-/ready", timeout=_ANSWER_WITHIN_S):
                return True
        except OSError:
            return False

    def query(self, promql: str) -> list[tuple[dict[str, str], float]]:
        """The labels and the newest value of every series that a query finds."""
        result = self._api("query", query=promql)["result"]
        return [(series["metric"], float(series["value"][1])) for series in result]

    def value(self, promql: str) -> float | None:
        """The newest value of a query that finds one series; None when it finds none yet."""
        found = self.query(promql)
        assert len(found) <= 1, found
        return found[0][1] if found else None

    def alerts(self) -> dict[str, str]:
        """Of each alert that is not quiet: pending or firing."""
        return {alert["labels"]["alertname"]: alert["state"] for alert in self._api("alerts")["alerts"]}

    def _api(self, what: str, **parameters: str) -> Any:
        url = f"http://{LOOPBACK}:{self.port}/api/v1/{what}?{urllib.parse.urlencode(parameters)}"
        with urllib.request.urlopen(url, timeout=_ANSWER_WITHIN_S) as answer:
            return json.load(answer)["data"]

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        super().__exit__(kind, error, traceback)
        self._folder.cleanup()
