"""Asking an HTTP server, as a probe or Prometheus does."""

import base64
import json
import ssl
import urllib.error
import urllib.request
from dataclasses import dataclass
from email.message import Message
from typing import Any


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: Message
    text: str

    @property
    def json(self) -> Any:
        return json.loads(self.text)


def ask(
    url: str,
    *,
    method: str = "GET",
    account: str = "",
    timeout_s: float = 10.0,
    tls: ssl.SSLContext | None = None,
) -> Answer:
    """The answer, whatever its status; `account` is `user:password`. Raises OSError where there is none in time."""
    request = urllib.request.Request(url, method=method)
    if account:
        request.add_header("Authorization", f"Basic {base64.b64encode(account.encode()).decode()}")
    try:
        with urllib.request.urlopen(request, timeout=timeout_s, context=tls) as answer:
            return Answer(answer.status, answer.headers, answer.read().decode())
    except urllib.error.HTTPError as error:
        with error:
            return Answer(error.code, error.headers, error.read().decode())
