"""An endpoint: how its listings are asked for, page by page, with one agreement's grant.

This is the half of a stream that reads. It knows nothing of state or messages, which are the other
half's (`sync`), nor how either API pages and filters (`client`).
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import replace
from functools import cached_property, partial
from itertools import product
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from singer_sdk.streams import RESTStream
from singer_sdk.streams.rest import HTTPRequest, PageContext

from tap_visma_economic import schemas
from tap_visma_economic.drift import Drift
from tap_visma_economic.errors import (
    BadAnswerError,
    NetworkError,
    NotFoundError,
    UnavailableError,
    error_of,
)
from tap_visma_economic.kinds import Listing
from tap_visma_economic.paths import fill
from tap_visma_economic.records import Projection, Rules
from tap_visma_economic.retries import MAX_TRIES, retrying

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    import pendulum
    import requests
    from singer_sdk.helpers.types import Context

    from tap_visma_economic.agreements import Agreement
    from tap_visma_economic.auth import Grant
    from tap_visma_economic.pages import Page
    from tap_visma_economic.pagination import Paginator, Query
    from tap_visma_economic.readings import Stamps
    from tap_visma_economic.records import Row
    from tap_visma_economic.tap import TapVismaEconomic

    Begin = Callable[[], tuple[Paginator, Page]]

T = TypeVar("T")

MOST_READINGS = 3
"""How often a listing is read that rows coming or going can shift, until it stands still."""


class Endpoint(RESTStream["Query"]):
    """One endpoint of either API.

    Class attributes say what it is: `name` and `path` are the SDK's; `listing` is how it lists its
    rows; `path_params` maps each parameter of the path to the column of the `parent` stream it
    comes from, or to its fixed values; `counted` is false where e-conomic does not count the rows.
    """

    listing: ClassVar[Listing] = Listing.COLLECTION
    parent: ClassVar[type[Endpoint] | None] = None
    path_params: ClassVar[Mapping[str, str | tuple[str, ...]]] = {}
    counted: ClassVar[bool] = True

    _tap: TapVismaEconomic

    def __init__(self, tap: TapVismaEconomic) -> None:
        self._raw_schema = schemas.load(self.name)
        self._drift = Drift()
        include_links = bool(tap.config.get("include_links"))
        schema = schemas.catalog_schema(self._raw_schema, include_links=include_links)
        super().__init__(tap, schema=schema)

    # What the two APIs do differently

    @abstractmethod
    def parse_page(self, response: requests.Response) -> Page:
        """Return an answer as a page."""

    @abstractmethod
    def get_new_paginator(self, bound: str | None = None) -> Paginator:
        """Return the plan for reading one listing, its rows filtered by `bound`."""

    @abstractmethod
    def instant_literal(self, at: pendulum.DateTime) -> str:
        """Return an instant as this API's filters take it."""

    @abstractmethod
    def count_one(self, grant: Grant, context: Stamps, bound: str | None) -> int:
        """Return how many rows of one listing fit."""

    # One request: URL, tokens, retries, answer

    @property
    def requests_session(self) -> requests.Session:
        """The one session that all streams and agreements share."""
        return self._tap.transport.session

    def get_url(self, context: Context | None) -> str:
        """Return the listing's URL with its path parameters filled in."""
        return self.url_base + fill(self.path, context or {})

    def get_http_request(self, *, page: PageContext[Query]) -> HTTPRequest:
        """Return the request for one page of one listing."""
        headers = {"Accept": "application/json", "Content-Type": "application/json"}
        params = dict(page.next_page_token or {})
        return HTTPRequest(url=self.get_url(page.stream_context), params=params, headers=headers)

    def build_prepared_request(self, *args: Any, **kwargs: Any) -> requests.PreparedRequest:
        """Return a request bound to the agreement whose grant comes as `auth`."""
        return self._tap.transport.prepare(*args, **kwargs)

    def validate_response(self, response: requests.Response) -> None:
        """Raise the error that an answer stands for, if it is one."""
        if not response.ok or response.is_redirect:
            raise error_of(response)

    def request_decorator(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """Return a function that tries again where that can help (see `retries`)."""

        def decorated(request: requests.PreparedRequest) -> Any:
            transport = self._tap.transport
            try:
                answer = retrying(
                    partial(func, request),
                    stop=self._tap.stop,
                    max_wait=self._tap.setting("max_wait_minutes") * 60,
                    what=f"{self.name} (GET {request.path_url})",
                    max_tries=1 if transport.given_up(request) else MAX_TRIES,
                )
            except (NetworkError, UnavailableError):
                transport.give_up(request)
                raise
            transport.found_again(request)
            return answer

        return decorated

    def ask(
        self,
        grant: Grant,
        context: Stamps,
        query: Query,
        parse: Callable[[requests.Response], T],
        *,
        suffix: str = "",
    ) -> T:
        """Return one answer, asked for with an agreement's grant. May run in any thread.

        Raises:
            EconomicError: the answer could not be had.
        """
        request = self.get_http_request(page=PageContext(context, query))
        prepared = self.build_prepared_request(
            method=request.method,
            url=request.url + suffix,
            params=request.encode_params(),
            headers=request.headers,
            auth=grant,
        )

        def send(request: requests.PreparedRequest) -> T:
            response = self._tap.transport.send(request)
            self.validate_response(response)
            return parse(response)

        answer: T = self.request_decorator(send)(prepared)
        return answer

    def fetch(self, grant: Grant, context: Stamps, query: Query) -> Page:
        """Return one page."""
        return self.ask(grant, context, query, self.parse_page)

    def parse_response(self, response: requests.Response) -> Iterator[dict[str, Any]]:
        """Yield the rows of an answer as they came."""
        yield from self.parse_page(response).rows

    # One agreement: its listings and their pages

    def contexts(self, agreement: Agreement) -> Iterator[Stamps]:
        """Yield the stamps of every listing: one per combination of path parameters."""
        fixed = {name: values for name, values in self.path_params.items() if _is_fixed(values)}
        columns = {name: column for name, column in self.path_params.items() if name not in fixed}
        parents: Sequence[tuple[Any, ...]] = [()]
        if self.parent is not None:
            parents = self._tap.parent_keys(self.parent, agreement, tuple(columns.values()))  # type: ignore[arg-type]
        for keys in parents:
            for values in product(*fixed.values()):
                stamps = dict(zip((*columns, *fixed), (*keys, *values), strict=True))
                yield {**agreement.context, **stamps}

    def read(self, agreement: Agreement, bound: str | None) -> Iterator[tuple[Stamps, Page]]:
        """Yield the pages of all listings in order, the first pages asked for ahead."""
        if self.listing is Listing.SELF:
            yield dict(agreement.context), agreement.page
            return

        def begin(context: Stamps) -> tuple[Paginator, Page]:
            paginator = self.get_new_paginator(bound)
            return paginator, self.fetch(agreement.grant, context, paginator.current_value)

        count = self._tap.setting("concurrency")
        ahead = self._tap.transport.ahead(self.contexts(agreement), begin, count=count)
        for context, begun in ahead:
            rows = pages = 0
            told: int | None = None
            for page in self._listing(agreement, context, begun, partial(begin, context)):
                rows, pages = rows + len(page.rows), pages + 1
                told = page.results
                yield context, page
            listed = self.counted and self.listing is Listing.COLLECTION
            if listed and (pages > 1 or (pages == 1 and told not in {None, rows})):
                self._check_count(agreement, context, bound, rows)

    def _check_count(
        self, agreement: Agreement, context: Stamps, bound: str | None, rows: int
    ) -> None:
        """Compare the rows of a listing of several pages with e-conomic's own count.

        Rows that came while it was read make a difference too, so it is looked at twice.
        """
        for _ in range(2):
            ask = partial(self.count_one, agreement.grant, context, bound)
            count = self._tap.transport.run(ask)
            if count == rows:
                return
        self.logger.warning(
            "%s: %d rows of %s were read and e-conomic counts %d: rows came or went meanwhile; "
            "the next run has them",
            agreement,
            rows,
            fill(self.path, context),
            count,
        )

    def _listing(
        self, agreement: Agreement, context: Stamps, begun: Begin, again: Begin
    ) -> Iterator[Page]:
        """Yield the pages of one listing, none if its parent is gone."""
        try:
            paginator, page = begun()
            if paginator.shifts:
                yield from self._settled_pages(agreement, context, paginator, page, again)
            else:
                yield from self._pages(agreement, context, paginator, page)
        except NotFoundError:
            if not self._may_be_missing(agreement, context):
                raise
            self.logger.debug("%s: nothing at %s", agreement, fill(self.path, context))
            if self.listing is not Listing.SINGLETON:
                self._tap.outcome.vanish(self.name, agreement)

    def _may_be_missing(self, agreement: Agreement, context: Stamps) -> bool:
        """Return whether a 404 is no failure: an object a parent lacks, or a parent that is gone.

        A listing below a parent that is still there must answer: e-conomic may not have understood
        the path.
        """
        if self.parent is None:
            return False
        if self.listing is Listing.SINGLETON:
            return True
        self._tap.forget_parents(self.parent, agreement)
        return context not in list(self.contexts(agreement))

    def _pages(
        self, agreement: Agreement, context: Stamps, paginator: Paginator, page: Page
    ) -> Iterator[Page]:
        """Yield a listing's first page and those after it."""
        while True:
            yield page
            paginator.turn(page)
            if paginator.finished:
                return
            query = paginator.current_value
            page = self._tap.transport.run(partial(self.fetch, agreement.grant, context, query))

    def _settled_pages(
        self,
        agreement: Agreement,
        context: Stamps,
        paginator: Paginator,
        page: Page,
        again: Begin,
    ) -> Iterator[Page]:
        """Yield a listing that rows coming or going can shift, read until it stands still.

        One page cannot shift. Several are read again until two readings hold the same keys; later
        readings give only rows that have not been seen.
        """
        seen: set[tuple[str, ...]] = set()
        before: set[tuple[str, ...]] | None = None
        for readings in range(1, MOST_READINGS + 1):
            keys: set[tuple[str, ...]] = set()
            for turned in self._pages(agreement, context, paginator, page):
                keyed = [(self._key(row, context), row) for row in turned.rows]
                keys.update(key for key, _ in keyed)
                fresh = {key: row for key, row in keyed if key not in seen}
                seen.update(fresh)
                yield replace(turned, rows=list(fresh.values()))
            if paginator.count == 1 or keys == before:
                return
            before = keys
            if readings < MOST_READINGS:
                paginator, page = self._tap.transport.run(again)
        self.logger.warning(
            "%s: rows came and went while %s was read %d times; the next run may have more",
            agreement,
            self.path,
            MOST_READINGS,
        )

    @cached_property
    def _key(self) -> Callable[[Row, Stamps], tuple[str, ...]]:
        keys = tuple(self.primary_keys or ())
        project = self._projection_of(keys)

        def key(row: Row, context: Stamps) -> tuple[str, ...]:
            record = project(row, context)
            return tuple(str(record.get(name)) for name in keys)

        return key

    def count(self, agreement: Agreement, bound: str) -> int:
        """Return how many rows of all listings fit."""
        transport = self._tap.transport
        return sum(
            transport.run(partial(self.count_one, agreement.grant, context, bound))
            for context in self.contexts(agreement)
        )

    def keys(
        self, agreement: Agreement, columns: tuple[str, ...], bound: str | None = None
    ) -> Iterator[tuple[Any, ...]]:
        """Yield these columns of every row: what a stream below this one fills its path with.

        Raises:
            BadAnswerError: a row lacks one of them.
        """
        for found in self.columns(agreement, columns, bound):
            if any(value is None for value in found):
                raise BadAnswerError(f"a row of {self.name} came without {', '.join(columns)}")
            yield found

    def columns(
        self, agreement: Agreement, columns: tuple[str, ...], bound: str | None = None
    ) -> Iterator[tuple[Any, ...]]:
        """Yield these columns of every row, null where a row lacks one."""
        project = self._projection_of(columns)
        for context, page in self.read(agreement, bound):
            for row in page.rows:
                record = project(row, context)
                yield tuple(record.get(column) for column in columns)

    def _projection_of(self, columns: tuple[str, ...]) -> Projection:
        rules = Rules(self._drift, selected=lambda crumb: crumb[1] in columns)
        return Projection(self._raw_schema, rules)


def _is_fixed(values: str | tuple[str, ...]) -> bool:
    return isinstance(values, tuple)
