"""Both event loops that the service runs on."""

import asyncio
from typing import Any

import pytest
import uvloop

from tests.support.ca_client import Run

LOOPS = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


@pytest.fixture(params=LOOPS)
def run(request: pytest.FixtureRequest) -> Run[Any]:
    """Runs a coroutine to its end, once on each event loop; no callback may raise meanwhile."""

    def runner(coroutine: Any) -> Any:
        unhandled: list[dict[str, Any]] = []
        with asyncio.Runner(loop_factory=LOOPS[request.param]) as runner:
            runner.get_loop().set_exception_handler(lambda _, context: unhandled.append(context))
            result = runner.run(coroutine)
        assert not unhandled, "callbacks raised what nobody but the event loop took notice of"
        return result

    return runner
