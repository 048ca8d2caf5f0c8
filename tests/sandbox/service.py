"""From a request to an answer, without sockets: tokens, routes, roles, modules, the budget."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from . import approval, openapi, rest
from .answers import Answer, error, is_openapi, problem
from .budget import Budget
from .calls import Call
from .grants import Grant
from .listing import Memory
from .query import Query
from .render import Renderer
from .routes import Match, match
from .webhooks import LISTING, Webhooks

LISTING_COST = 3  # seen live for a page of entries; other costs are not known
OTHER_COST = 1
_LISTINGS = ("collection", "cursor", "paged", "array")


@dataclass
class Service:
    """The two APIs over a set of grants.

    Attributes:
        base_url: the origin that links begin with.
        app_secret: the one app secret that is good.
        grants: token to grant. revoked: tokens that once were good.
        zone: how instants are served, see ``zones``.
        budget: how calls are metered.
        retired: OpenAPI versions that answer an error: (module, version) or (module, major
            version), the module in lower case, to the status (404, 410).
        clock: the time in seconds since the epoch.
        webhooks: what is known of webhooks beyond their rows.
    """

    base_url: str
    app_secret: str
    grants: dict[str, Grant]
    zone: str = "utc"
    budget: Budget = field(default_factory=Budget)
    revoked: set[str] = field(default_factory=set)
    retired: dict[tuple[str, str], int] = field(default_factory=dict)
    clock: Callable[[], float] = time.time
    webhooks: Webhooks = field(init=False)
    _renderers: dict[str, Renderer] = field(default_factory=dict, repr=False)
    _memory: Memory = field(default_factory=lambda: Memory(64), repr=False)

    def __post_init__(self) -> None:
        self.webhooks = Webhooks(self.clock)

    def grant(self, headers: Mapping[str, str]) -> Grant | None:
        """Whom a request's two tokens let in; header names in lower case."""
        token = headers.get("x-agreementgranttoken", "")
        if headers.get("x-appsecrettoken") != self.app_secret or token in self.revoked:
            return None
        return self.grants.get(token)

    def answer(
        self,
        method: str,
        target: str,
        grant: Grant | None,
        headers: Mapping[str, str],
        body: bytes = b"",
    ) -> tuple[Answer, Match | None]:
        """Answer a request; also tells which route it took."""
        path, _, query = target.partition("?")
        if path.lower() == approval.PATH:  # for browsers: no tokens in, and one out
            return approval.answer(Query.parse(query), self.grants), None
        if grant is None:
            answer = self.unauthorized(path)
            return self._metered(answer, 0, OTHER_COST), None
        found = match(path)
        agreement = grant.company.agreement_number
        listing = found is not None and found.route.kind in _LISTINGS
        cost = LISTING_COST if listing else OTHER_COST
        if not self.budget.spend(agreement, cost):
            answer = error(path, 429, "You are over your quota.")
            answer.headers.update(self.budget.when(agreement, cost))
        elif found is None:
            answer = openapi.not_found() if is_openapi(path) else rest.no_resource()
        else:
            answer = self._refusal(method, path, found, grant) or (
                self._call(found, Query.parse(query), path, grant)
                if method == "GET"
                else self.webhooks.answer(
                    method, next(iter(found.params), None), grant, headers, body
                )
            )
        return self._metered(answer, agreement, cost), found

    def unauthorized(self, path: str) -> Answer:
        """The 401 of the API that a path belongs to."""
        if is_openapi(path):
            return openapi.unauthorized()
        return rest.unauthorized(self.base_url, path)

    def _refusal(self, method: str, path: str, found: Match, grant: Grant) -> Answer | None:
        endpoint = found.route.endpoint
        module, major = endpoint.api.lower(), found.version.partition(".")[0]
        for version in (found.version, major):
            if (module, version) in self.retired:
                return problem(self.retired[module, version], detail="This version is retired.")
        if method != "GET" and (
            endpoint.name != LISTING or found.route.kind not in ("cursor", "item")
        ):
            return error(path, 405)
        if endpoint.roles and grant.role not in endpoint.roles:
            forbidden = rest.forbidden if endpoint.is_rest else openapi.forbidden
            return forbidden(grant.role)
        if endpoint.module is not None and not grant.has(endpoint.module):
            return openapi.missing_module(endpoint.module)
        return None

    def _call(self, found: Match, query: Query, path: str, grant: Grant) -> Answer:
        endpoint = found.route.endpoint
        renderer = self._renderers.get(endpoint.name)
        if renderer is None:
            renderer = Renderer(endpoint, self.base_url, self.zone)
            self._renderers[endpoint.name] = renderer
        call = Call(found, query, grant, self.base_url, path, renderer, self._memory)
        return rest.answer(call) if endpoint.is_rest else openapi.answer(call)

    def _metered(self, answer: Answer, agreement: int, cost: int) -> Answer:
        answer.headers.update(self.budget.told(agreement, cost))
        return answer
