"""From a path to an endpoint. Names match without regard to case; parameters keep theirs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import unquote

from .facts import FACTS, Endpoint
from .values import decode_path_part

_VERSION = re.compile(r"v(\d+\.\d+\.\d+)", re.IGNORECASE)


@dataclass(frozen=True)
class Route:
    """What a path asks of an endpoint.

    Attributes:
        kind: collection, cursor, paged, count, item, array or singleton.
        by: for items and arrays below a parent: the properties that the last parameters match.
    """

    endpoint: Endpoint
    kind: str
    by: tuple[str, ...] = ()


@dataclass(frozen=True)
class Match:
    """A route with the parameters of one path, and the OpenAPI version that was asked for."""

    route: Route
    params: tuple[str, ...]
    version: str = ""


class _Tree:
    """Routes by segments; a literal segment wins over a parameter."""

    def __init__(self) -> None:
        self.literal: dict[str, _Tree] = {}
        self.parameter: _Tree | None = None
        self.route: Route | None = None

    def add(self, path: str, route: Route) -> None:
        node = self
        for segment in path.strip("/").split("/"):
            if segment.startswith("{"):
                node.parameter = node.parameter or _Tree()
                node = node.parameter
            else:
                node = node.literal.setdefault(segment.lower(), _Tree())
        node.route = node.route or route

    def find(
        self, segments: list[str], params: tuple[str, ...]
    ) -> tuple[Route, tuple[str, ...]] | None:
        if not segments:
            return (self.route, params) if self.route else None
        first, rest = segments[0], segments[1:]
        below = self.literal.get(first.lower())
        found = below.find(rest, params) if below else None
        if found is None and self.parameter is not None and first:
            found = self.parameter.find(rest, (*params, first))
        return found


def _routes(endpoint: Endpoint) -> Iterator[tuple[str | None, Route]]:
    if endpoint.kind != "paged":
        yield endpoint.path, Route(endpoint, endpoint.kind)
    yield endpoint.paged, Route(endpoint, "paged")
    yield endpoint.count, Route(endpoint, "count")
    for kind, lookups in (("item", endpoint.items), ("array", endpoint.arrays)):
        for lookup in lookups:
            yield lookup.path, Route(endpoint, kind, lookup.by)


_TREES: dict[str, _Tree] = {}
for _endpoint in FACTS.values():
    for _path, _route in _routes(_endpoint):
        if _path is not None:
            _TREES.setdefault(_endpoint.api.lower(), _Tree()).add(_path, _route)


def match(path: str) -> Match | None:
    """Find the route of a path as it stands in the request line; None where there is none.

    On REST a segment is percent-decoded and then read in e-conomic's own encoding (``_6_`` is
    ``/``), so ``2025_6_2026`` and ``2025%2F2026`` name the same year.
    """
    segments = [unquote(segment) for segment in path.strip("/").split("/")]
    tree, version = _TREES.get(segments[0].lower()), ""
    if tree is not None and segments[0].lower() != "rest":
        numbers = _VERSION.fullmatch(segments[1]) if len(segments) > 1 else None
        if numbers is None:
            return None
        version, segments = numbers.group(1), segments[2:]
    else:
        tree, segments = _TREES["rest"], [decode_path_part(segment) for segment in segments]
    found = tree.find(segments, ())
    return Match(*found, version) if found else None
