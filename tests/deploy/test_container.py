"""The image's recipe and the compose file, without an engine to run them."""

import asyncio
import json
import logging
import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml
from aiohttp import web
from compose_spec import PyCompose

from forwarder.observe.http.server import Server
from forwarder.settings.types import HttpSettings
from tests.deploy.files import DEPLOY, LONGEST_STOP_S, REPOSITORY, shown_settings
from tests.deploy.units import seconds
from tests.support.ca_loops import LOOPS
from tests.support.certificates import Authority
from tests.support.ports import free_port

CONTAINER = DEPLOY / "container"
RECIPE = CONTAINER / "Containerfile"
COMPOSE = CONTAINER / "compose.yaml"

_DONE_WITHIN_S = 30.0


def recipe() -> list[str]:
    """Its instructions, each in one line."""
    text = re.sub(r"^#.*\n", "", RECIPE.read_text(), flags=re.MULTILINE)
    return text.replace("\\\n", " ").splitlines()


def environment() -> dict[str, str]:
    (line,) = (line for line in recipe() if line.startswith("ENV "))
    return dict(pair.split("=", 1) for pair in line.split()[1:])


def services() -> dict[str, Any]:
    return yaml.safe_load(COMPOSE.read_text())["services"]


def test_hadolint_finds_nothing() -> None:
    command = [str(Path(sys.executable).with_name("hadolint")), "--no-color", str(RECIPE)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=_DONE_WITHIN_S, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_all_that_is_copied_is_there_and_not_ignored() -> None:
    not_ignored = {line[1:] for line in (REPOSITORY / ".dockerignore").read_text().splitlines() if line[:1] == "!"}
    copied = {
        name for line in recipe() if line.startswith("COPY ") and "--from" not in line for name in line.split()[1:-1]
    }
    assert copied == not_ignored
    assert all((REPOSITORY / name).exists() for name in copied)


def test_it_is_not_run_by_root() -> None:
    (user,) = (line.split()[1] for line in recipe() if line.startswith("USER "))
    assert all(int(number) > 0 for number in user.split(":"))


def test_the_forwarder_understands_what_the_image_sets() -> None:
    values = {name: value for name, value in environment().items() if name.startswith("FORWARDER_")}
    of_an_instrument = {"INSTRUMENT": "LARMOR", "MYPVPREFIX": "IN:LARMOR:"}
    for settings in (shown_settings(["run"], values), shown_settings(["blocks"], {**values, **of_an_instrument})):
        assert settings["state-directory"] in [line.split()[1] for line in recipe() if line.startswith("VOLUME ")]


def test_the_compose_file_is_valid() -> None:
    compose = PyCompose.from_yaml(COMPOSE.read_text())
    compose.validate()
    compose.validate_volumes()


def test_a_compose_file_with_a_slip_would_be_refused() -> None:
    with pytest.raises(ValueError, match="cap_drip"):
        PyCompose.from_yaml(COMPOSE.read_text().replace("cap_drop", "cap_drip"))


def test_what_compose_runs() -> None:
    service = services()["forwarder"]
    assert service["read_only"] is True
    # A bridge would swallow Channel Access's broadcasts.
    assert service["network_mode"] == "host"
    assert seconds(service["stop_grace_period"]) > LONGEST_STOP_S
    settings = shown_settings(service["command"], {})
    assert settings["output-broker"] == "localhost:9092"
    assert services()["kafka"]["environment"]["KAFKA_ADVERTISED_LISTENERS"] == "PLAINTEXT://127.0.0.1:9092"


def test_blocks_stands_beside_the_forwarder_only_if_asked_for_and_shares_nothing_with_it() -> None:
    forwarder, blocks = services()["forwarder"], services()["blocks"]
    assert blocks["profiles"] == ["blocks"]
    for both in ("image", "network_mode", "read_only", "tmpfs", "cap_drop", "security_opt", "healthcheck"):
        assert blocks[both] == forwarder[both]
    assert seconds(blocks["stop_grace_period"]) > LONGEST_STOP_S
    assert not set(blocks["volumes"]) & set(forwarder["volumes"])
    fixed = {name: value for name, value in blocks["environment"].items() if not value.startswith("${")}
    asked = {"INSTRUMENT": "LARMOR", "MYPVPREFIX": "IN:LARMOR:"}
    assert asked.keys() <= blocks["environment"].keys()
    settings = shown_settings(blocks["command"], {**environment(), **fixed, **asked})
    run = shown_settings(forwarder["command"], environment())
    assert settings["http"] != run["http"]
    # What the one writes, the other reads.
    assert [settings[name] for name in ("config-topic", "status-topic", "output-broker")] == [
        run[name] for name in ("config-topic", "status-topic", "output-broker")
    ]


def test_kafka_is_the_one_that_is_tested_with() -> None:
    pom = (REPOSITORY / "tests" / "support" / "kafka_jars" / "pom.xml").read_text()
    _, _, version = services()["kafka"]["image"].rpartition(":")
    assert f"<version>{version}</version>" in pom


@contextmanager
def answering(status: int) -> Iterator[int]:
    """A server that gives every request this answer; its port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status if self.path == "/live" else 404)
            self.end_headers()
            self.wfile.write(json.dumps({"asked": self.path}).encode())

        def log_message(self, format: str, *args: Any) -> None:
            """Not to the test's output."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


def probe(http: str) -> tuple[int, str]:
    command = [sys.executable, str(CONTAINER / "probe.py")]
    variables = {**os.environ, "FORWARDER_HTTP": http}
    done = subprocess.run(command, env=variables, capture_output=True, text=True, timeout=_DONE_WITHIN_S, check=False)
    return done.returncode, done.stderr


@pytest.mark.parametrize(("status", "code"), [(200, 0), (503, 1)])
def test_the_health_check_is_the_answer_of_live(status: int, code: int) -> None:
    with answering(status) as port:
        assert probe(f"0.0.0.0:{port}")[0] == code


@pytest.mark.parametrize("loop", LOOPS.values(), ids=LOOPS)
@pytest.mark.parametrize(("status", "code"), [(200, 0), (503, 1)])
def test_the_health_check_follows_to_https(
    loop: Callable[[], asyncio.AbstractEventLoop],
    status: int,
    code: int,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Whoever has signed the certificate, and for whatever name."""
    pair = Authority(tmp_path, "authority").issue("elsewhere", ["forwarder.example.org"])
    settings = HttpSettings("127.0.0.1", 0, certificate_file=pair.certificate, key_file=pair.key)

    async def live(_: web.Request) -> web.Response:
        return web.Response(status=status)

    async def main() -> tuple[int, str]:
        server = Server(settings, [lambda app: app.router.add_get("/live", live)], lambda: None)
        await server.open()
        try:
            return await asyncio.to_thread(probe, server.url.rpartition("/")[2])
        finally:
            await server.close()

    with asyncio.Runner(loop_factory=loop) as runner:
        assert runner.run(main()) == (code, "")
    # It is asked so every 30 s.
    assert [record.message for record in caplog.records if record.levelno >= logging.WARNING] == []


def test_no_proxy_is_asked_for_the_health(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{free_port()}")
    with answering(200) as port:
        assert probe(str(port)) == (0, "")


def test_the_health_check_fails_in_one_line_where_nobody_answers() -> None:
    port = free_port()
    code, said = probe(str(port))
    assert code == 1
    assert said.startswith(f"http://127.0.0.1:{port}/live: ")
    assert len(said.splitlines()) == 1
