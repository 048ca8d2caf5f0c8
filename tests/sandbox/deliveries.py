"""Events on their way: what a company's webhooks send over HTTP, and how that goes wrong.

Documented: one call per changed record, not bundled, later than the change, repeated after a
failure. Not known, and so chosen by ``Disorder``: order, losses, doubles, how often it is repeated,
when a webhook is switched off, whether deletions count. Bodies are of every form that was seen.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from http.client import HTTPConnection, HTTPException
from typing import Any, Literal
from urllib.parse import quote, urlencode, urlsplit

from .company import Company
from .webhooks import Hook, Webhooks

Form = Literal[
    "template",  # the webhook's own `postData` and content type
    "mixed_case",  # the same, and its fields' names in another case
    "form",  # form-encoded
    "json",  # a JSON object of numbers
    "not_json",  # says that it is JSON, and is text
    "query",  # nothing but the URL's query
]
FORMS: tuple[Form, ...] = ("template", "mixed_case", "form", "json", "not_json", "query")


@dataclass
class Disorder:
    """How deliveries go wrong; shares are of all events, from 0 to 1.

    Attributes:
        lost: share that is never sent. doubled: share that is sent twice.
        late: share that waits for a later ``deliver``, each time.
        reordered: whether those sent together are sent in any order.
        forms: forms of body, drawn anew for each.
        deletions: whether a deletion is an event.
        tries: how often one is sent until it succeeds.
        disables_after: failed tries in a row after which a webhook is switched off; None: never.
    """

    lost: float = 0.0
    doubled: float = 0.0
    late: float = 0.0
    reordered: bool = False
    forms: Sequence[Form] = ("template",)
    deletions: bool = True
    tries: int = 3
    disables_after: int | None = None
    seed: int = 0


@dataclass
class Delivery:
    """One event on its way to one webhook.

    Attributes:
        method, url, headers, body: what is sent; GET where nothing but the URL says anything.
        statuses: what was answered, 0 where nothing was.
    """

    company: Company
    event: str
    url: str
    headers: dict[str, str]
    body: bytes
    method: str = "POST"
    statuses: list[int] = field(default_factory=list)

    @property
    def arrived(self) -> bool:
        return bool(self.statuses) and self.statuses[-1] // 100 == 2


class Deliveries:
    """Sends what happens to companies that are watched.

    Args:
        webhooks: those of the sandbox.
        routes: where a URL leads in fact, by how it begins, as the TLS proxy in front of a
            receiver would: ``{"https://hooks.example.dk": "http://127.0.0.1:8787"}``.

    Attributes:
        waiting: what has not been sent, or not with success. done: what was, or was given up.
        lost: what was never sent.
    """

    def __init__(
        self, webhooks: Webhooks, routes: Mapping[str, str], disorder: Disorder | None = None
    ) -> None:
        self.disorder = disorder or Disorder()
        self.random = random.Random(self.disorder.seed)
        self.waiting: list[Delivery] = []
        self.done: list[Delivery] = []
        self.lost: list[Delivery] = []
        self._webhooks = webhooks
        self._routes = dict(routes)
        self._failures: dict[tuple[int, str], int] = {}

    def watch(self, company: Company) -> None:
        """Send what happens to a company from now on."""
        company.tell = partial(self.fire, company)

    def fire(
        self, company: Company, event: str, *, deleted: bool = False, **fields: str | int
    ) -> None:
        """Let an event happen, with the values of its merge fields."""
        if deleted and not self.disorder.deletions:
            return
        for hook in self._webhooks.of(company, event):
            if hook.get("isDisabled"):
                continue
            delivery = self._made(company, hook, fields)
            if self._chance(self.disorder.lost):
                self.lost.append(delivery)
                continue
            self.waiting.append(delivery)
            if self._chance(self.disorder.doubled):
                self.waiting.append(self._made(company, hook, fields))

    def deliver(self, *, everything: bool = False) -> list[Delivery]:
        """Send what waits, but for what is late; returns what was sent."""
        late = [not everything and self._chance(self.disorder.late) for _ in self.waiting]
        sent = [one for one, waits in zip(self.waiting, late, strict=True) if not waits]
        self.waiting = [one for one, waits in zip(self.waiting, late, strict=True) if waits]
        if self.disorder.reordered:
            self.random.shuffle(sent)
        for one in sent:
            one.statuses.append(self._send(one))
            failed = not one.arrived
            self._count(one, failed=failed)
            again = failed and len(one.statuses) < self.disorder.tries
            (self.waiting if again else self.done).append(one)
        return sent

    def _chance(self, share: float) -> bool:
        return self.random.random() < share

    def _count(self, one: Delivery, *, failed: bool) -> None:
        key = one.company.agreement_number, one.event
        self._failures[key] = self._failures.get(key, 0) + 1 if failed else 0
        if self.disorder.disables_after and self._failures[key] >= self.disorder.disables_after:
            self._webhooks.disable(one.company, one.event)

    def _made(self, company: Company, hook: Hook, fields: Mapping[str, str | int]) -> Delivery:
        own = {header["key"]: header["value"] for header in hook.get("customHeaders") or []}
        url = _filled(hook["url"], fields, quoted=True)
        form = self.random.choice(list(self.disorder.forms))
        template = hook.get("postData") or ""
        kind, text, method = hook["contentType"], _filled(template, fields), "POST"
        if form == "mixed_case":
            text = _filled(re.sub(r"\b[A-Z]+(?==)", self._cased, template), fields)
        elif form == "form":
            kind, text = "application/x-www-form-urlencoded", urlencode(fields)
        elif form == "json":
            kind, text = "application/json; charset=utf-8", json.dumps(dict(fields))
        elif form == "not_json":
            kind = "application/json"
        elif form == "query":
            url += f"{'&' if '?' in url else '?'}{urlencode(fields)}"
            kind, text, method = "", "", "POST" if own else "GET"
        headers = {**own, **({"Content-Type": kind} if kind else {})}
        return Delivery(company, hook["eventType"], url, headers, text.encode(), method)

    def _cased(self, name: re.Match[str]) -> str:
        return self.random.choice((name[0].lower(), name[0].capitalize(), name[0]))

    def _send(self, one: Delivery) -> int:
        start = next((begin for begin in self._routes if one.url.startswith(begin)), None)
        if start is None:
            return 0  # no such host
        where = urlsplit(self._routes[start] + one.url[len(start) :])
        target = where.path + (f"?{where.query}" if where.query else "")
        try:
            with closing(HTTPConnection(where.netloc, timeout=10)) as connection:
                connection.request(one.method, target, body=one.body, headers=one.headers)
                return connection.getresponse().status
        except (OSError, HTTPException):
            return 0


def _filled(template: str, fields: Mapping[str, Any], *, quoted: bool = False) -> str:
    """A template with the values of its merge fields; one that the event lacks stays."""

    def value(found: re.Match[str]) -> str:
        text = str(fields.get(found[1].upper(), found[0]))
        return quote(text, safe="[]") if quoted else text

    return re.sub(r"\[(\w+)\]", value, template)
