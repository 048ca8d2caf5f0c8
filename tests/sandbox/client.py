"""A bare client, for tests of the sandbox itself: one connection per request, nothing hidden."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from decimal import Decimal
from http.client import HTTPConnection
from typing import Any
from urllib.parse import quote, urlsplit

from .server import Sandbox


@dataclass(frozen=True)
class Answer:
    """An answer as it came."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body decoded, decimals kept."""
        return json.loads(self.body, parse_float=Decimal)

    @property
    def rows(self) -> list[Any]:
        """The rows, whichever envelope they came in."""
        body = self.json
        if isinstance(body, dict):
            body = body["collection"] if "collection" in body else body["items"]
        return list(body)

    @property
    def numbers(self) -> list[Any]:
        """The first value of each row: in these tests, its key."""
        return [next(iter(row.values())) for row in self.rows]

    @property
    def message(self) -> str:
        """What an error says that is particular to it, in either API's form."""
        first = (self.json.get("errors") or [self.json["message"]])[0]
        return str(first["message"] if isinstance(first, dict) else first)


def get(
    sandbox: Sandbox,
    path: str,
    grant: str = "demo",
    *,
    method: str = "GET",
    headers: Mapping[str, str] | None = None,
    body: str | None = None,
    timeout: float = 10,
) -> Answer:
    """Ask for a path with a grant."""
    tokens = {"X-AppSecretToken": sandbox.app_secret, "X-AgreementGrantToken": grant}
    netloc = urlsplit(sandbox.url).netloc
    with closing(HTTPConnection(netloc, timeout=timeout)) as connection:
        connection.request(method, path, body=body, headers={**tokens, **(headers or {})})
        response = connection.getresponse()
        return Answer(response.status, dict(response.getheaders()), response.read())


def filtered(sandbox: Sandbox, path: str, text: str) -> Answer:
    """Ask for a path with a filter, which is encoded here."""
    return get(sandbox, f"{path}{'&' if '?' in path else '?'}filter={quote(text, safe='')}")
