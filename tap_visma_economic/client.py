"""The base streams: how a listing of either API becomes records, bookmarks and messages.

A stream class under `streams/` only states facts; this module holds what all of them do. The SDK
does the rest: catalog, selection, stream maps, metrics, the shape of state.
"""

from __future__ import annotations

import enum
from abc import abstractmethod
from functools import cached_property, partial
from itertools import product
from typing import TYPE_CHECKING, Any, ClassVar, cast

from singer_sdk.helpers._util import utc_now
from singer_sdk.streams import RESTStream
from singer_sdk.streams.rest import HTTPRequest, PageContext

from tap_visma_economic import pages, schemas
from tap_visma_economic.bookmarks import InstantBookmark, NoBookmark, NumberBookmark
from tap_visma_economic.drift import Drift
from tap_visma_economic.errors import (
    AccessDeniedError,
    ConfigError,
    EconomicError,
    GrantRefusedError,
    NotFoundError,
    RetiredVersionError,
    error_of,
)
from tap_visma_economic.filters import both, compare
from tap_visma_economic.pagination import Cursor, Keyset, Offset, OnePage, Paged, PagedUpward
from tap_visma_economic.paths import fill
from tap_visma_economic.records import Projection, Rules
from tap_visma_economic.retries import retrying
from tap_visma_economic.settings import start_date
from tap_visma_economic.writer import BufferedWriter

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Mapping, Sequence

    import pendulum
    import requests
    from singer_sdk.helpers.types import Context

    from tap_visma_economic.agreements import Agreement
    from tap_visma_economic.auth import Grant
    from tap_visma_economic.bookmarks import Bookmark
    from tap_visma_economic.pages import Page
    from tap_visma_economic.pagination import Paginator, Query
    from tap_visma_economic.records import Record
    from tap_visma_economic.tap import TapVismaEconomic

Stamps = dict[str, Any]
"""agreementNumber and the path parameters of one listing: columns of all its records."""

INCREMENTAL = "INCREMENTAL"
FULL_TABLE = "FULL_TABLE"


class Listing(enum.Enum):
    """How an endpoint lists its rows."""

    COLLECTION = "all rows, page by page: REST's envelope, OpenAPI's cursor"
    SINGLETON = "one object"
    SELF = "the answer of /self, which every run begins with"
    ARRAY = "a bare array, not paged"
    PAGED = "OpenAPI's /paged"
    CHANGELOG = "paged without /paged, upward by the replication key"


class Replication(enum.Enum):
    """How the rows are found that are new or changed since the last run."""

    FULL = "everything is read every time"
    TIMESTAMP = "changed since the bookmark, less the look-back"
    NUMBER = "numbered from the bookmark, less an overlap"
    NUMBER_OPEN = "as NUMBER; rows that are still open change later"
    NUMBER_CHANGES = "as NUMBER; rows are edited later, which a changelog tells"


class EconomicStream(RESTStream["Query"]):
    """Base of all streams: the sync loop over agreements, listings and pages.

    Class attributes say what the endpoint is; `name`, `path`, `primary_keys` and
    `replication_key` are the SDK's. `path_params` maps each parameter of the path to the column of
    the `parent` stream it comes from, or to its fixed values.
    """

    listing: ClassVar[Listing] = Listing.COLLECTION
    replication: ClassVar[Replication] = Replication.TIMESTAMP
    parent: ClassVar[type[EconomicStream] | None] = None
    path_params: ClassVar[Mapping[str, str | tuple[str, ...]]] = {}
    start_date_property: ClassVar[str | None] = None

    _tap: TapVismaEconomic

    def __init__(self, tap: TapVismaEconomic) -> None:
        self._raw_schema = schemas.load(self.name)
        include_links = bool(tap.config.get("include_links"))
        schema = schemas.catalog_schema(self._raw_schema, include_links=include_links)
        super().__init__(tap, schema=schema)
        self.selected_by_default = True  # the catalog holds what is asked for, see `all_streams`
        self._drift = Drift()

    # What the SDK asks a stream

    @property
    def replication_method(self) -> str:
        """INCREMENTAL where the class or the catalog says so, else FULL_TABLE."""
        if self.forced_replication_method:
            return str(self.forced_replication_method)
        incremental = self.replication_key and self.replication is not Replication.FULL
        return INCREMENTAL if incremental else FULL_TABLE

    @property  # type: ignore[misc]  # the SDK's setter is for keys known beforehand
    def state_partitioning_keys(self) -> Sequence[str] | None:
        """None, one state per agreement, where there is something to keep; else nothing is."""
        keeps_state = self.replication_method == INCREMENTAL or self.listing is Listing.SELF
        return None if keeps_state else ()

    @property
    def partitions(self) -> list[dict[str, Any]] | None:
        """One partition per agreement."""
        return [dict(agreement.context) for agreement in self._tap.agreements]

    def get_replication_key_signpost(self, context: Context | None = None) -> None:
        """Return None: bookmarks are kept from running ahead by `bookmarks`, not by the SDK."""

    @property
    def emit_activate_version_messages(self) -> bool:
        """False: the SDK would send the message before the rows, and a cut run lose them."""
        return False

    @property
    def requests_session(self) -> requests.Session:
        """The one session that all streams and agreements share."""
        return self._tap.transport.session

    # One request: URL, tokens, retries, page

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
            return retrying(
                partial(func, request),
                stop=self._tap.stop,
                max_wait=self._tap.setting("max_wait_minutes") * 60,
                what=f"{self.name} (GET {request.path_url})",
            )

        return decorated

    def fetch(self, grant: Grant, context: Stamps, query: Query) -> Page:
        """Return one page, asked for with an agreement's grant. May run in any thread.

        Raises:
            EconomicError: the page could not be had.
        """
        request = self.get_http_request(page=PageContext(context, query))
        prepared = self.build_prepared_request(
            method=request.method,
            url=request.url,
            params=request.encode_params(),
            headers=request.headers,
            auth=grant,
        )
        return cast("Page", self.request_decorator(self._send)(prepared))

    def _send(self, request: requests.PreparedRequest) -> Page:
        response = self._tap.transport.send(request)
        self.validate_response(response)
        return self.parse_page(response)

    def parse_response(self, response: requests.Response) -> Iterator[dict[str, Any]]:
        """Yield the rows of an answer as they came."""
        yield from self.parse_page(response).rows

    @abstractmethod
    def parse_page(self, response: requests.Response) -> Page:
        """Return an answer as a page."""

    @abstractmethod
    def get_new_paginator(self, bound: str | None = None) -> Paginator:
        """Return the plan for reading one listing, its rows filtered by `bound`."""

    @abstractmethod
    def instant_literal(self, at: pendulum.DateTime) -> str:
        """Return an instant as this API's filters take it."""

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
        transport = self._tap.transport

        def begin(context: Stamps) -> tuple[Paginator, Page]:
            paginator = self.get_new_paginator(bound)
            return paginator, self.fetch(agreement.grant, context, paginator.current_value)

        count = self._tap.setting("concurrency")
        for context, begun in transport.ahead(self.contexts(agreement), begin, count=count):
            try:
                paginator, page = begun()
                while True:
                    yield context, page
                    paginator.turn(page)
                    if paginator.finished:
                        break
                    query = paginator.current_value
                    page = transport.run(partial(self.fetch, agreement.grant, context, query))
            except NotFoundError:
                if not self.path_params:
                    raise
                self.logger.debug("%s: nothing at %s", agreement, fill(self.path, context))

    def keys(self, agreement: Agreement, columns: tuple[str, ...]) -> Iterator[tuple[Any, ...]]:
        """Yield these columns of every row: what a stream below this one fills its path with."""
        rules = Rules(self._drift, selected=lambda crumb: crumb[1] in columns)
        project = Projection(self._raw_schema, rules)
        for context, page in self._pages(agreement, None):
            for row in page.rows:
                record = project(row, context)
                yield tuple(record[column] for column in columns)

    def _pages(self, agreement: Agreement, bound: str | None) -> Iterator[tuple[Stamps, Page]]:
        if self.listing is Listing.SELF:
            return iter([(dict(agreement.context), agreement.page)])
        return self.read(agreement, bound)

    # The sync loop

    def get_records(self, context: Context | None) -> Iterator[Record]:
        """Yield the records of one agreement, or of all, without bookmarks or messages."""
        for agreement in self._agreements(context):
            for stamps, page in self._pages(agreement, None):
                for row in page.rows:
                    yield self._project(row, stamps)

    def _sync_records(
        self, context: Context | None = None, *, write_messages: bool = True
    ) -> Generator[Record, Any, Any]:
        """Read every agreement, write records, then move its bookmark.

        The SDK's own loop gives partitions a state that cannot be resumed or that claims too much:
        this takes its place. One agreement's failure is noted and the others go on.
        """
        self._records_seen = 0
        outcome = self._tap.outcome
        with self.get_record_counter() as counter, self.get_sync_timer() as timer:
            for agreement in self._agreements(context):
                counter.with_context(agreement.context)
                timer.with_context(agreement.context)
                try:
                    for record in self._sync_agreement(agreement, write_messages=write_messages):
                        counter.increment()
                        yield record
                except AccessDeniedError as error:
                    self.logger.warning("Skipped for %s: %s", agreement, error)
                    outcome.skip(self.name, agreement, error)
                except GrantRefusedError as error:
                    self._tap.refuse(agreement, error)
                except EconomicError as error:
                    self.logger.error("Failed for %s: %s", agreement, error)  # noqa: TRY400
                    outcome.fail(self.name, agreement, error)
        for line in self._drift.report():
            self.logger.warning("Not as documented: %s", line)
        if write_messages:
            self._write_state_message()

    def _sync_agreement(
        self, agreement: Agreement, *, write_messages: bool
    ) -> Generator[Record, None, None]:
        bookmark, bound = self._begin(agreement)
        write = self._record_writer() if write_messages else None
        for stamps, page in self._pages(agreement, bound):
            self._tap.stop.check()
            records = []
            for row in page.rows:
                self._check_max_record_limit(current_record_index=self._records_seen)
                record = self._project(row, stamps)
                records.append(record)
                if write:
                    write(record)
                self._records_seen += 1
                yield record
            bookmark.saw(records, page.clock)
            if write_messages:
                self._end_page()
        bookmark.finish()
        self.state_manager.is_flushed = False

    def _agreements(self, context: Context | None) -> Iterator[Agreement]:
        for agreement in self._tap.agreements:
            wanted = context is None or context.get("agreementNumber") == agreement.number
            if wanted and not agreement.refused:
                yield agreement

    def _begin(self, agreement: Agreement) -> tuple[Bookmark, str | None]:
        """Return the bookmark, and the filter for what has to be read."""
        if self.replication_method != INCREMENTAL:
            return NoBookmark(), None
        key = self.replication_key
        if not key or key != self._own_replication_key:
            raise ConfigError(f"{self.name} cannot be read INCREMENTAL by {key!r}")
        state = self.get_context_state(agreement.context)
        if self.replication in {Replication.FULL, Replication.TIMESTAMP}:
            return self._begin_by_instant(state, key)
        return self._begin_by_number(state, key)

    def _begin_by_instant(self, state: dict[str, Any], key: str) -> tuple[Bookmark, str | None]:
        bookmark = InstantBookmark(state, key)
        bounds = [bookmark.since(self._tap.setting("lookback_minutes")), start_date(self.config)]
        since = max((bound for bound in bounds if bound), default=None)
        return bookmark, compare(key, "gte", self.instant_literal(since)) if since else None

    def _begin_by_number(self, state: dict[str, Any], key: str) -> tuple[Bookmark, str | None]:
        by_date = None
        date = start_date(self.config) if self.start_date_property else None
        if self.start_date_property and date:
            by_date = compare(self.start_date_property, "gte", date.to_date_string())
        bookmark = NumberBookmark(
            state,
            key,
            single=set(self.primary_keys) == {"agreementNumber", key},
            ascending=self.parent is None,
            start_date=date.to_date_string() if date else None,
        )
        since = bookmark.since
        return bookmark, both(compare(key, "gte", since) if since else None, by_date)

    @property
    def _own_replication_key(self) -> str:
        """The key the class declares, whatever a catalog says; empty if there is none."""
        declared: object = type(self).replication_key
        return declared if isinstance(declared, str) else ""

    @cached_property
    def _project(self) -> Projection:
        rules = Rules(
            self._drift,
            selected=self.mask.__getitem__,
            include_links=bool(self.config.get("include_links")),
        )
        return Projection(self._raw_schema, rules, fill_booleans=self._documented)

    @property
    def _documented(self) -> bool:
        """Whether the schema file describes what is served."""
        return True

    def _record_writer(self) -> Callable[[Record], None]:
        """Return what writes a record: straight to the buffer where nothing has to be mapped."""
        writer = self._tap.message_writer
        mapped = self.config.get("stream_maps") or self.config.get("flattening_enabled")
        if mapped or not isinstance(writer, BufferedWriter):
            return lambda record: self._write_record_message(dict(record))
        message: dict[str, Any] = {"type": "RECORD", "stream": self.name}

        def write(record: Record) -> None:
            writer.write_record({**message, "record": record, "time_extracted": utc_now()})

        return write

    def _end_page(self) -> None:
        writer = self._tap.message_writer
        if isinstance(writer, BufferedWriter):
            writer.end_page()
        self.state_manager.is_flushed = False
        self._write_state_message()


class RestApiStream(EconomicStream):
    """A listing of restapi.e-conomic.com, which e-conomic calls its legacy REST API.

    Class attributes: `keyset`, an integer key that filters and sorts, by which the listing is read
    upward; or else `sort`, a key that only sorts.
    """

    keyset: ClassVar[str | None] = None
    sort: ClassVar[str | None] = None

    @property
    def url_base(self) -> str:
        """Where the API is."""
        return str(self._tap.setting("rest_url")).rstrip("/")

    def parse_page(self, response: requests.Response) -> Page:
        """Return an answer as a page."""
        if self.listing is Listing.COLLECTION:
            return pages.rest_collection(response)
        return pages.single(response)

    def get_new_paginator(self, bound: str | None = None) -> Paginator:
        """Return the plan for reading one listing, its rows filtered by `bound`."""
        if self.listing is not Listing.COLLECTION:
            return OnePage(bound)
        if self.keyset:
            return Keyset(bound, key=self.keyset)
        return Offset(bound, sort=self.sort)

    def instant_literal(self, at: pendulum.DateTime) -> str:
        """Return `2026-01-02T03:04:05Z`; an offset is refused (rest NOTES, Filtering)."""
        return at.in_timezone("UTC").format("YYYY-MM-DD[T]HH:mm:ss[Z]")


class OpenApiStream(EconomicStream):
    """A listing of apis.e-conomic.com, the newer API of versioned modules.

    Class attribute: `module`, such as `customersapi`.
    """

    module: ClassVar[str]

    @property
    def url_base(self) -> str:
        """Where the module is, with its version."""
        host = str(self._tap.setting("openapi_url")).rstrip("/")
        return f"{host}/{self.module}/v{self._version}"

    def get_url(self, context: Context | None) -> str:
        """Return the listing's URL with its path parameters filled in."""
        url = super().get_url(context)
        return f"{url}/paged" if self.listing is Listing.PAGED else url

    def validate_response(self, response: requests.Response) -> None:
        """Raise the error that an answer stands for, if it is one.

        Below an unknown parent a listing is empty and not 404 (openapi NOTES 3): 404 on a listing
        says that the module's version is gone. An object, such as a group's settings, may be
        missing.
        """
        try:
            super().validate_response(response)
        except NotFoundError as error:
            if self.listing is Listing.SINGLETON and self.path_params:
                raise
            raise RetiredVersionError(
                error.status, error.path, said=error.said, code=error.code
            ) from None

    def parse_page(self, response: requests.Response) -> Page:
        """Return an answer as a page."""
        if self.listing is Listing.COLLECTION:
            return pages.cursor_listing(response)
        if self.listing is Listing.SINGLETON:
            return pages.single(response)
        return pages.array(response)

    def get_new_paginator(self, bound: str | None = None) -> Paginator:
        """Return the plan for reading one listing, its rows filtered by `bound`."""
        if self.listing is Listing.COLLECTION:
            return Cursor(bound)
        if self.listing is Listing.PAGED:
            return Paged(bound)
        if self.listing is Listing.CHANGELOG:
            return PagedUpward(bound, key=self._own_replication_key)
        return OnePage(bound)

    def instant_literal(self, at: pendulum.DateTime) -> str:
        """Return `2026-01-02T03:04:05`, as this API serves it (openapi NOTES 6)."""
        return at.in_timezone("UTC").format("YYYY-MM-DD[T]HH:mm:ss")

    @property
    def _version(self) -> str:
        versions: Mapping[str, str] = self.config.get("openapi_versions") or {}
        return versions.get(self.module, schemas.MODULE_VERSIONS[self.module])

    @property
    def _documented(self) -> bool:
        return self._version == schemas.MODULE_VERSIONS[self.module]


def _is_fixed(values: str | tuple[str, ...]) -> bool:
    return isinstance(values, tuple)
