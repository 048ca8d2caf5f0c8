"""One authorised call on one endpoint: what the answers of both APIs are made from."""

from __future__ import annotations

from dataclasses import dataclass
from threading import Lock

from .facts import Endpoint
from .grants import Grant
from .listing import Indexes, Listing, Memory
from .query import Query
from .render import Renderer
from .routes import Match

# A company makes a listing when it is first asked for, and must not make it twice.
_COMPANIES = Lock()


@dataclass(frozen=True)
class Call:
    """A request that has been routed and let in.

    Attributes:
        base_url: the origin, as it stands in front of links.
        path: the path as it was asked for.
        memory: findings in lazy listings.
    """

    match: Match
    query: Query
    grant: Grant
    base_url: str
    path: str
    renderer: Renderer
    memory: Memory

    @property
    def endpoint(self) -> Endpoint:
        return self.match.route.endpoint

    @property
    def by(self) -> dict[str, str]:
        """The properties that a single row or a plain list is picked by, with their values."""
        route = self.match.route
        return dict(zip(route.by, self.match.params[len(self.parents) :], strict=True))

    @property
    def parents(self) -> tuple[str, ...]:
        """The values of the path parameters of the listing itself."""
        return self.match.params[: self.endpoint.parameters]

    def listing(self) -> Listing:
        """The rows asked for.

        Raises:
            KeyError: there is no such parent.
        """
        endpoint = self.endpoint
        with _COMPANIES:
            rows = self.grant.rows(endpoint.name, self.parents)
        owner = (id(self.grant.company), endpoint.name, self.parents)
        return Listing(endpoint, rows, self.renderer.zone, self.memory, owner)

    def picked(self, listing: Listing) -> Indexes:
        """The rows that the path picks, or all where it picks none."""
        by = self.by
        return listing.where(tuple(by), tuple(by.values())) if by else range(len(listing.rows))

    def text(self, listing: Listing, indexes: Indexes) -> str:
        """Rows as the inside of a JSON array."""
        return self.renderer.rows(listing.page(indexes))
