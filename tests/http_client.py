"""Plain HTTP/1.1, as browsers and curl speak it."""

from __future__ import annotations

import http.client
import json
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import Any

ANSWER_SECONDS = 60


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    """By names in lower case."""
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def lines(self) -> list[Any]:
        """Of a stream: one JSON text a line."""
        return [json.loads(line) for line in self.body.splitlines() if line]

    def reason(self) -> str:
        """Of the ErrorInfo of a failure."""
        return str(self.detail("ErrorInfo")["reason"])

    def detail(self, name: str) -> Any:
        return next(one for one in self.json["details"] if one["@type"] == f"type.googleapis.com/google.rpc.{name}")

    def field(self) -> str:
        """The field that a refusal names."""
        return str(self.detail("BadRequest")["fieldViolations"][0]["field"])


def ask(
    address: str, path: str, body: object = None, *, method: str = "", headers: Mapping[str, str] | None = None
) -> Answer:
    """What one request is answered with; a body that is no bytes is sent as JSON."""
    given = dict(headers or {})
    if body is not None and not isinstance(body, bytes):
        body, given = json.dumps(body).encode(), {"Content-Type": "application/json", **given}
    with closing(http.client.HTTPConnection(address, timeout=ANSWER_SECONDS)) as connection:
        connection.request(method or ("GET" if body is None else "POST"), path, body, given)
        response = connection.getresponse()
        return Answer(response.status, {name.lower(): value for name, value in response.getheaders()}, response.read())
