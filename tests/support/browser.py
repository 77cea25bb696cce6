"""A headless Chromium that looks at the service's page, and notes what a page should never do."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

from playwright.sync_api import Page, sync_playwright

_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
_PATIENCE_MS = 15_000
PHONE = {"width": 390, "height": 844}
DESK = {"width": 1440, "height": 900}


class Browser:
    """One Chromium with an empty profile, Debian's own. Pages are closed with it."""

    def __init__(self) -> None:
        self.complaints: list[str] = []
        """What the console said that was no mere note, errors that nobody caught, and requests that failed."""
        self.hosts: set[str] = set()
        """`host:port` of all that was asked for something."""

    def open(self, url: str, *, dark: bool = False, viewport: dict[str, int] = DESK, **options: Any) -> Page:
        """A page of its own; `options` are those of playwright's `new_context`."""
        context = self._browser.new_context(
            viewport={"width": viewport["width"], "height": viewport["height"]},
            color_scheme="dark" if dark else "light",
            **options,
        )
        context.set_default_timeout(_PATIENCE_MS)
        page = context.new_page()
        page.on("request", lambda request: self.hosts.add(urlsplit(request.url).netloc))
        page.on(
            "console", lambda said: self.complaints.append(said.text) if said.type in ("error", "warning") else None
        )
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.goto(url)
        return page

    @contextmanager
    def faultless(self, url: str) -> Iterator[None]:
        """Pages that are opened meanwhile are closed then; none may have complained, nor asked anybody but this one."""
        self.complaints.clear()
        self.hosts.clear()
        yield
        for context in self._browser.contexts:
            context.close()
        assert self.complaints == []
        assert self.hosts <= {urlsplit(url).netloc}

    def __enter__(self) -> Self:
        program = shutil.which("chromium") or shutil.which("chromium-browser")
        if program is None:
            raise RuntimeError("chromium is missing: tests/support/need.sh installs it")
        self._playwright = sync_playwright().start()
        # Without a profile given, playwright makes an empty one and removes it.
        self._browser = self._playwright.chromium.launch(executable_path=program, args=_FLAGS)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._browser.close()
        self._playwright.stop()
