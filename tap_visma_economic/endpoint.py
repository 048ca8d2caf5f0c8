"""An endpoint: how its listings are asked for, page by page, with one agreement's grant.

This is the half of a stream that reads. It knows nothing of state or messages, which are the other
half's (`stream`), nor how either API pages and filters (`client`).
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import replace
from functools import cached_property, partial
from http import HTTPStatus
from itertools import product
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn, TypeVar

from singer_sdk.streams import RESTStream
from singer_sdk.streams.rest import HTTPRequest, PageContext

from tap_visma_economic import schemas
from tap_visma_economic.errors import (
    AccessDeniedError,
    BadAnswerError,
    GatewayError,
    GrantRefusedError,
    NetworkError,
    NotFoundError,
    QueryRefusedError,
    RateLimitError,
    RetiredVersionError,
    TooManyRequestsError,
    UnavailableError,
    UncountedError,
    error_of,
)
from tap_visma_economic.kinds import Listing, Replication
from tap_visma_economic.listing import MOST_READINGS, ListingReader
from tap_visma_economic.paths import fill
from tap_visma_economic.rate_limit import cost_of
from tap_visma_economic.records.drift import Drift
from tap_visma_economic.records.row_type import RowType
from tap_visma_economic.records.selection import Selection
from tap_visma_economic.retry import MAX_TRIES, retry
from tap_visma_economic.workers import SingleFlight

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    import pendulum
    import requests
    from singer_sdk import Tap
    from singer_sdk.helpers.types import Context
    from singer_sdk.singerlib import Catalog

    from tap_visma_economic.agreement import Agreement
    from tap_visma_economic.config import Config
    from tap_visma_economic.http import HttpClient
    from tap_visma_economic.kinds import OpenRows
    from tap_visma_economic.pagination import Paginator, Query
    from tap_visma_economic.paths import PathContext
    from tap_visma_economic.records.pages import Page
    from tap_visma_economic.run import Run

T = TypeVar("T")

_NO_COUNT = (
    AccessDeniedError,  # whether the rows may be read is for their listing to say
    BadAnswerError,
    NotFoundError,
    QueryRefusedError,
    RetiredVersionError,
)
"""Answers in place of a count that say nothing of the rows."""


class Endpoint(RESTStream["Query"]):
    """One endpoint of either API.

    Class attributes say what it is: `name` and `path` are the SDK's; `listing` is how it lists its
    rows; `path_params` maps each parameter of the path to the column of the `parent` stream it
    comes from, or to its fixed values; `counted` is false where e-conomic does not count the rows;
    `keyset` is an integer property that filters and by which the listing comes sorted upward;
    `optional` says of a single object that a parent may be without it; `key_is_inferred` where no
    document says that the primary key identifies a row.

    Others say how new and changed rows are found: `replication` with the SDK's `replication_key`;
    `start_date_property`, the date by which the setting start_date bounds rows that are numbered;
    `open_rows` and `open_listing`, how rows that can still change are found; `changelog`, the
    endpoint that tells which rows were edited.

    Attributes:
        in_doubt: agreements of which e-conomic may have rows that a reading did not see.
        untold: agreements of which the listing above others came without e-conomic's count.
        unsorted: e-conomic has turned out not to sort the listing as it was asked to.
    """

    listing: ClassVar[Listing] = Listing.COLLECTION
    parent: ClassVar[type[Endpoint] | None] = None
    path_params: ClassVar[Mapping[str, str | tuple[str, ...]]] = {}
    counted: ClassVar[bool] = True
    keyset: ClassVar[str | None] = None
    optional: ClassVar[bool] = False
    key_is_inferred: ClassVar[bool] = False

    replication: ClassVar[Replication] = Replication.TIMESTAMP
    start_date_property: ClassVar[str | None] = None
    open_rows: ClassVar[OpenRows | None] = None
    open_listing: ClassVar[type[Endpoint] | None] = None
    changelog: ClassVar[type[Endpoint] | None] = None

    def __init__(self, tap: Tap, run: Run) -> None:
        self.run = run
        self._raw_schema = self.described(run.config)
        self._drift = Drift()
        self._row_types: dict[tuple[str, ...], RowType] = {}
        self.in_doubt: set[int] = set()
        self.untold: set[int] = set()
        self.unsorted = False
        self._parent_keys: SingleFlight[Any, list[tuple[Any, ...]]] = SingleFlight(run.stop)
        include_links = bool(run.config.get("include_links"))
        schema = schemas.catalog_schema(self._raw_schema, include_links=include_links)
        super().__init__(tap, schema=schema)

    def apply_catalog(self, catalog: Catalog) -> None:
        """Take over the catalog's keys, selection and the properties that its schema has more."""
        super().apply_catalog(catalog)
        if entry := catalog.get_stream(self.name):
            self._raw_schema = schemas.extended(self._raw_schema, entry.schema.to_dict())

    # What the two APIs do differently

    def described(self, config: Config) -> dict[str, Any]:  # noqa: ARG002
        """Return the schema file of the stream; the settings may say that more is served."""
        return schemas.load(self.name)

    @property
    @abstractmethod
    def row_type(self) -> RowType:
        """How rows become records."""

    @abstractmethod
    def parse_response(self, response: requests.Response) -> Page:
        """Return an answer as a page."""

    @abstractmethod
    def get_new_paginator(self, filter_: str | None = None) -> Paginator:  # type: ignore[override]
        """Return the plan for reading one listing, its rows filtered by `filter_`.

        It is told of pages, not of responses: the SDK's own loop could not use it.
        """

    @abstractmethod
    def instant_literal(self, at: pendulum.DateTime) -> str:
        """Return an instant as this API's filters take it."""

    @abstractmethod
    def count_one(self, http: HttpClient, context: PathContext, filter_: str | None) -> int:
        """Return how many rows of one listing fit."""

    # One request: URL, tokens, retries, answer

    @property
    def authenticator(self) -> NoReturn:
        """No stream has one: each agreement has, and every request is given its agreement's.

        See `HttpClient.authenticator`, which `ask` has a request prepared with.

        Raises:
            NotImplementedError: always.
        """
        raise NotImplementedError("an agreement has an authenticator, and a stream has many")

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
        return self.run.transport.prepare(*args, **kwargs)

    def validate_response(self, response: requests.Response) -> None:
        """Raise the error that an answer stands for, if it is one."""
        if response.status_code != HTTPStatus.OK:
            raise error_of(response)

    def request_decorator(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """Return a function that tries again where that can help (see `retries`)."""

        def decorated(request: requests.PreparedRequest) -> Any:
            transport = self.run.transport
            patient = not transport.circuit_is_open(request)
            try:
                answer = retry(
                    partial(func, request),
                    stop=self.run.stop,
                    max_wait=self.run.setting("max_wait_minutes") * 60 if patient else 0,
                    what=f"{self.name} (GET {request.path_url})",
                    max_tries=MAX_TRIES if patient else 1,
                )
            except (GatewayError, NetworkError, UnavailableError):
                transport.open_circuit(request)
                raise
            transport.close_circuit(request)
            return answer

        return decorated

    def ask(
        self,
        http: HttpClient,
        context: PathContext,
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
            auth=http.authenticator,
        )

        def send(request: requests.PreparedRequest) -> T:
            response = http.send(request)
            self.run.report.called(self.name, cost_of(response.headers.get("X-CallCost")) or 0)
            try:
                self.validate_response(response)
            except GrantRefusedError as error:
                http.close(error)
                raise
            except TooManyRequestsError as error:
                if http.exhausted:
                    raise RateLimitError(error) from None
                raise
            return parse(response)

        answer: T = self.request_decorator(send)(prepared)
        return answer

    def fetch(self, http: HttpClient, context: PathContext, query: Query) -> Page:
        """Return one page. May run in any thread."""
        return self.ask(http, context, query, self.parse_response)

    # One agreement: its listings and their pages

    def contexts(self, agreement: Agreement) -> Iterator[PathContext]:
        """Yield the stamps of every listing: one per combination of path parameters."""
        sources = self.path_params.items()
        fixed = {name: values for name, values in sources if isinstance(values, tuple)}
        columns = {name: column for name, column in sources if isinstance(column, str)}
        parents: Sequence[tuple[Any, ...]] = [()]
        if self.parent is not None:
            above = self.run.stream(self.parent)
            parents = above.parent_keys(agreement, tuple(columns.values()))
        for keys in parents:
            for values in product(*fixed.values()):
                context = dict(zip((*columns, *fixed), (*keys, *values), strict=True))
                yield {**agreement.context, **context}

    def read(self, agreement: Agreement, filter_: str | None) -> Iterator[tuple[PathContext, Page]]:
        """Yield the pages of all listings in order, the first pages below parents asked for ahead.

        Where the path has fixed values, such as the statuses of a document, rows move from one
        listing to another. All but the last are read again in reverse where what is not read is
        deleted: a row that moved back, to a listing that had been read, is in there now.
        """
        if self.listing is Listing.SELF:
            rows = agreement.page.typed.read_as(self.row_type)
            yield dict(agreement.context), replace(agreement.page, rows=rows)
            return
        contexts = self.contexts(agreement)
        if self.deletes and any(isinstance(values, tuple) for values in self.path_params.values()):
            forth = list(contexts)
            contexts = iter([*forth, *forth[-2::-1]])
        walks = (ListingReader(self, agreement, context, filter_) for context in contexts)
        at_once = self.concurrency if self.parent else 1
        for walk, begun in agreement.http.ahead(walks, ListingReader.begin, count=at_once):
            for page in walk.pages(begun):
                yield walk.context, page

    @property
    def concurrency(self) -> int:
        """Requests of one agreement that may be in flight at the same time."""
        return int(self.run.setting("concurrency"))

    @property
    def deletes(self) -> bool:
        """Whether rows that are not read are taken out of the target's table."""
        return bool(self.run.setting("emit_activate_version_messages"))

    @cached_property
    def documented(self) -> frozenset[str]:
        """The properties that a row is documented to have, links apart."""
        columns: Mapping[str, Any] = self._raw_schema["properties"]
        return frozenset(
            column.get("x-source", name).partition(".")[0]
            for name, column in columns.items()
            if not {"x-link", "x-stamp"} & column.keys()
        )

    @property
    def own_primary_keys(self) -> tuple[str, ...]:
        """The primary key that the class declares: a catalog may name another, or none at all.

        What tells rows apart is not for a catalog to say, or rows would be taken for one.
        """
        declared: Any = type(self).primary_keys
        return tuple(declared)

    @property
    def own_replication_key(self) -> str:
        """The replication key that the class declares, whatever a catalog says; may be empty."""
        declared: object = type(self).replication_key
        return declared if isinstance(declared, str) else ""

    @property
    def row_keys(self) -> tuple[str, ...]:
        """What of the primary key stands in a row: not the agreement, nor what is in the path."""
        elsewhere = {"agreementNumber", *self.path_params}
        return tuple(key for key in self.own_primary_keys if key not in elsewhere)

    @property
    def is_counted(self) -> bool:
        """Whether e-conomic tells how many rows a listing has."""
        return self.counted and self.listing is Listing.COLLECTION

    @property
    def is_unique(self) -> bool:
        """Whether no two rows of a listing have the same number."""
        return self.row_keys == (self.keyset,)

    def doubts(self, agreement: Agreement) -> bool:
        """Return whether e-conomic may have rows that were not read, or parents with such rows."""
        above = self.parent is not None and self.run.stream(self.parent).doubts(agreement)
        return above or agreement.number in self.in_doubt

    def keeps_moving(self, agreement: Agreement) -> None:
        """Take note that no two readings held the same rows."""
        self.in_doubt.add(agreement.number)
        self.logger.warning(
            "%s: rows came and went while %s was read %d times; the next run may have more",
            agreement,
            self.path,
            MOST_READINGS,
        )

    def knows_parents(self, agreement: Agreement) -> bool:
        """Return whether e-conomic told how many rows each listing above this one has."""
        if self.parent is None:
            return True
        above = self.run.stream(self.parent)
        return agreement.number not in above.untold and above.knows_parents(agreement)

    def forget_parents(self, agreement: Agreement) -> None:
        """Let the listings above this one be read anew."""
        above = self.parent
        while above is not None:
            self.run.stream(above).forget_keys(agreement)
            above = above.parent

    def may_be_missing(self, agreement: Agreement, context: PathContext) -> bool:
        """Return whether a 404 is no failure: an object a parent lacks, or a parent that is gone.

        What belongs to a parent that is still there must answer: e-conomic may not have understood
        the path. A parent that is gone is noted.
        """
        if self.parent is None:
            return False
        if not self.optional:
            self.run.stream(self.parent).forget_keys(agreement)
            if context in list(self.contexts(agreement)):
                return False
            self.run.report.vanish(self.name, agreement)
        self.logger.debug("%s: nothing at %s", agreement, fill(self.path, context))
        return True

    def keys_of(self, page: Page, context: PathContext) -> list[tuple[str | None, ...]]:
        """Return what tells the rows of all listings apart; null where a row lacks it."""
        keys = self._values(page, self.own_primary_keys, context)
        return [tuple(None if value is None else str(value) for value in key) for key in keys]

    def count(self, agreement: Agreement, filter_: str | None) -> int:
        """Return how many rows of all listings fit."""
        http = agreement.http
        return sum(
            http.run(partial(self.count_of, http, context, filter_))
            for context in self.contexts(agreement)
        )

    def count_of(self, http: HttpClient, context: PathContext, filter_: str | None) -> int:
        """Return how many rows of one listing fit. May run in any thread.

        Raises:
            UncountedError: e-conomic does not say.
            EconomicError: it could not be asked.
        """
        try:
            return self.count_one(http, context, filter_)
        except _NO_COUNT as error:
            raise UncountedError(str(error)) from None

    def keys(
        self, agreement: Agreement, columns: tuple[str, ...], filter_: str | None = None
    ) -> Iterator[tuple[Any, ...]]:
        """Yield these columns of every row: what a stream below this one fills its path with.

        Raises:
            BadAnswerError: a row lacks one of them.
        """
        for found in self.columns(agreement, columns, filter_):
            if any(value is None for value in found):
                raise BadAnswerError(f"a row of {self.name} came without {', '.join(columns)}")
            yield found

    def parent_keys(self, agreement: Agreement, columns: tuple[str, ...]) -> list[tuple[Any, ...]]:
        """Return these columns of every row, read once for all streams below this one."""
        wanted = (agreement.number, columns)
        return self._parent_keys.get(wanted, lambda: list(self.keys(agreement, columns)))

    def forget_keys(self, agreement: Agreement) -> None:
        """Let the listing be read anew for the streams below it: it may have changed."""
        self._parent_keys.forget(lambda wanted: wanted[0] == agreement.number)

    def columns(
        self, agreement: Agreement, columns: tuple[str, ...], filter_: str | None = None
    ) -> Iterator[tuple[Any, ...]]:
        """Yield these columns of every row, null where a row lacks one."""
        for _, found in self.column_pages(agreement, columns, filter_):
            yield from found

    def column_pages(
        self, agreement: Agreement, columns: tuple[str, ...], filter_: str | None = None
    ) -> Iterator[tuple[Page, list[tuple[Any, ...]]]]:
        """Yield each page with these columns of its rows, null where a row lacks one."""
        for context, page in self.read(agreement, filter_):
            if page.results is None:
                self.untold.add(agreement.number)
            yield page, self._values(page, columns, context)

    def _values(
        self, page: Page, columns: tuple[str, ...], context: PathContext
    ) -> list[tuple[Any, ...]]:
        if columns not in self._row_types:
            selection = Selection(lambda crumb: crumb[1] in columns)
            self._row_types[columns] = RowType(self._raw_schema, selection, Drift())
        rows = page.typed.read_as(self._row_types[columns])
        rows.finalize(context)
        return rows.values(columns)
