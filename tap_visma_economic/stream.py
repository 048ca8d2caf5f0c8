"""`EconomicStream`, the base of all streams: requests, the sync loop, state and messages.

It is the SDK's RESTStream with a sync loop of its own (see `_sync_records`). `client` has how each
of the two APIs paginates and filters; `replication` has which rows a stream reads again. Which of
the SDK's hooks are called, and what replaces the others, is in CONTRIBUTING.md.
"""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import cached_property, partial
from http import HTTPStatus
from itertools import product
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn, TypeVar

import pendulum
import requests
from msgspec import UNSET, UnsetType
from singer_sdk import Tap
from singer_sdk.helpers._util import utc_now
from singer_sdk.helpers.types import Context
from singer_sdk.metrics import Counter
from singer_sdk.singerlib import Catalog, RecordMessage
from singer_sdk.streams import RESTStream
from singer_sdk.streams.rest import PageContext

from tap_visma_economic import schemas
from tap_visma_economic.activate_version import FULL_READ_AT, Coverage
from tap_visma_economic.agreement import Agreement
from tap_visma_economic.by_stream import DIGESTS, FULL_READ_ROWS
from tap_visma_economic.config import start_date
from tap_visma_economic.errors import (
    AccessDeniedError,
    BadResponseError,
    ConfigError,
    EconomicError,
    GrantRefusedError,
    NotFoundError,
    QueryRefusedError,
    RetiredVersionError,
    UncountedError,
    error_of,
)
from tap_visma_economic.http import HttpClient
from tap_visma_economic.listing import MOST_READINGS, ListingReader
from tap_visma_economic.pagination import Paginator, Query
from tap_visma_economic.paths import PathContext, fill
from tap_visma_economic.prefetch import Prefetcher
from tap_visma_economic.rate_limit import cost_of
from tap_visma_economic.records.drift import Drift
from tap_visma_economic.records.pages import Page
from tap_visma_economic.records.record_builder import RecordBuilder
from tap_visma_economic.records.row_type import Rows, RowType
from tap_visma_economic.records.selection import Record, Selection
from tap_visma_economic.records.values import now_text
from tap_visma_economic.replication.base import FullTable, Options, Replication, parse_instant
from tap_visma_economic.replication.partition import Partition, Step
from tap_visma_economic.run import EVENTS, LAST_RUN, Run

if TYPE_CHECKING:
    from tap_visma_economic.unchanged import Collected

T = TypeVar("T")

FULL_TABLE, INCREMENTAL = "FULL_TABLE", "INCREMENTAL"
"""Replication methods, as catalogs name them."""

_NO_COUNT = (
    AccessDeniedError,  # the listing shows whether the rows can be read
    BadResponseError,
    NotFoundError,
    QueryRefusedError,
    RetiredVersionError,
)
"""Errors of a count that do not mean the rows cannot be read."""


_NOT_OF_THE_READING = {"context", DIGESTS, FULL_READ_AT, FULL_READ_ROWS, EVENTS, LAST_RUN}
"""Keys of a partition's state that stay when it is replaced with that of a reading."""


class EconomicStream(RESTStream["Query"]):
    """Base of all streams.

    Class attributes describe a stream: `name`, `path` and `primary_keys` are the SDK's.

    - `replication`: how new and changed rows are found. The SDK's `replication_key` is its key.
    - `paginator_class`: how an OpenAPI listing is paginated, if not by cursor.
    - `is_single_object`: the endpoint returns one object instead of a listing.
    - `is_self`: it is `/self`, which every run requests first.
    - `parent`, `path_params`: the stream above, in place of the SDK's `parent_stream_type`; and
      each parameter of the path, with the parent's column that fills it, or its fixed values.
    - `keyset`: an integer property by which the listing can be filtered and sorted upward.
    - `counted`: e-conomic can count the rows.
    - `optional`: a parent may lack the object.
    - `key_is_inferred`: no document states that the primary key identifies a row.
    - `opt_in`: in the catalog only with the setting `all_streams`.

    Attributes:
        in_doubt: agreements that may have rows that were not read.
        uncounted: agreements whose key columns were read without e-conomic's count, with the number
            of rows.
        misread: agreements whose key columns had another number of rows when they were read again.
        unsorted: e-conomic does not sort the listing as requested.
        served: HTTP clients of the agreements of which e-conomic returned a page.
    """

    replication: ClassVar[Replication] = FullTable()
    paginator_class: ClassVar[type[Paginator] | None] = None
    is_single_object: ClassVar[bool] = False
    is_self: ClassVar[bool] = False
    parent: ClassVar[type[EconomicStream] | None] = None
    path_params: ClassVar[Mapping[str, str | tuple[str, ...]]] = {}
    counted: ClassVar[bool] = True
    keyset: ClassVar[str | None] = None
    optional: ClassVar[bool] = False
    key_is_inferred: ClassVar[bool] = False
    opt_in: ClassVar[bool] = False

    def __init_subclass__(cls) -> None:
        """Give the SDK its replication key. A catalog may set another on an instance."""
        super().__init_subclass__()
        cls.replication_key = cls.replication.key or None  # type: ignore[method-assign,assignment]

    def __init__(self, tap: Tap, run: Run) -> None:
        self.run = run
        self._raw_schema = self.described()
        self._drift = Drift()
        self._row_types: dict[tuple[str, ...], RowType] = {}
        self.in_doubt: set[int] = set()
        self.uncounted: dict[int, int] = {}
        self.misread: set[int] = set()
        self.unsorted = False
        self.served: set[HttpClient] = set()
        include_links = bool(run.config.get("include_links"))
        schema = schemas.catalog_schema(self._raw_schema, include_links=include_links)
        super().__init__(tap, schema=schema)
        self.selected_by_default = True  # `all_streams` decides what is in the catalog
        self._records_seen = 0

    def apply_catalog(self, catalog: Catalog) -> None:
        """Apply the catalog's keys and selection, and the properties only its schema has."""
        super().apply_catalog(catalog)
        if entry := catalog.get_stream(self.name):
            self._raw_schema = schemas.extended(self._raw_schema, entry.schema.to_dict())

    # What the two APIs do differently

    def described(self) -> dict[str, Any]:
        """Return the schema file of the stream, extended if the settings name a newer version."""
        return schemas.load(self.name)

    @abstractmethod
    def parse_response(self, response: requests.Response) -> Page:
        """Return a response as a page."""

    @abstractmethod
    def get_new_paginator(self, filter_: str | None = None) -> Paginator:  # type: ignore[override]
        """Return the paginator for one listing, its rows filtered by `filter_`.

        Unlike the SDK's, it takes the filter and advances by pages instead of responses.
        """

    @abstractmethod
    def instant_literal(self, at: pendulum.DateTime) -> str:
        """Return an instant in the format of this API's filters."""

    @abstractmethod
    def count_one(self, http: HttpClient, context: PathContext, filter_: str | None) -> int:
        """Return how many rows of one listing match the filter."""

    # One request: URL, tokens, retries, response

    @property
    def authenticator(self) -> NoReturn:
        """Raise an error: a stream reads several agreements, each with its own authenticator.

        `ask` applies the `EconomicAuthenticator` (in `auth`) of the agreement's `HttpClient`.
        """
        raise NotImplementedError("use agreement.http.authenticator")

    def get_url(self, context: Context | None) -> str:
        """Return the listing's URL with its path parameters filled in."""
        return self.url_base + fill(self.path, context or {})

    @property
    def http_headers(self) -> dict[str, str]:
        """Headers of every request, apart from the tokens and the user agent."""
        return {"Accept": "application/json", "Content-Type": "application/json"}

    def get_url_params(
        self,
        context: Context | None,  # noqa: ARG002
        next_page_token: Query | None,
    ) -> dict[str, Any]:
        """Return the query of one page: the paginator's token, `current_value`."""
        return dict(next_page_token or {})

    def build_prepared_request(self, *args: Any, **kwargs: Any) -> requests.PreparedRequest:
        """Return a request with the tokens of the authenticator passed as `auth`."""
        return self.run.transport.prepare(*args, **kwargs)

    def validate_response(self, response: requests.Response) -> None:
        """Raise the error for a status other than 200; `errors.error_of` has their messages."""
        if response.status_code != HTTPStatus.OK:
            raise error_of(response)

    def ask(
        self,
        http: HttpClient,
        context: PathContext,
        query: Query,
        parse: Callable[[requests.Response], T],
        *,
        suffix: str = "",
    ) -> T:
        """Send one request with an agreement's tokens, and return the parsed response.

        The SDK's `request_records` in small: build, authenticate, send, validate, parse. May run in
        any thread.

        Raises:
            EconomicError: the request failed.
        """
        request = self.get_http_request(page=PageContext(context, query))
        prepared = self.build_prepared_request(
            method=request.method,
            url=request.url + suffix,
            params=request.encode_params(),
            headers=request.headers,
            auth=http.authenticator,
        )

        def read(response: requests.Response) -> T:
            self.run.report.called(self.name, cost_of(response.headers.get("X-CallCost")) or 0)
            self.validate_response(response)
            return parse(response)

        return http.send(prepared, read, what=self.name)

    def fetch(self, http: HttpClient, context: PathContext, query: Query) -> Page:
        """Wait for room in the prefetcher, then request one page. May run in any thread."""
        self.prefetcher.room()
        page = self.ask(http, context, query, self.parse_response)
        self.served.add(http)
        return page

    # One agreement: its listings and their pages

    def contexts(self, agreement: Agreement) -> Iterator[PathContext]:
        """Yield the context of every listing: one per combination of path parameters."""
        sources = self.path_params.items()
        fixed = {name: values for name, values in sources if isinstance(values, tuple)}
        columns = {name: column for name, column in sources if isinstance(column, str)}
        parents: Sequence[tuple[Any, ...]] = [()]
        if self.parent is not None:
            wanted = tuple(columns.values())
            above = self.run.stream(self.parent)
            key = (above.name, agreement.number, wanted)
            parents = self.run.parents.get(key, lambda: list(above.keys(agreement, wanted)))
        for keys in parents:
            for values in product(*fixed.values()):
                context = dict(zip((*columns, *fixed), (*keys, *values), strict=True))
                yield {**agreement.context, **context}

    def read(self, agreement: Agreement, filter_: str | None) -> Iterator[tuple[PathContext, Page]]:
        """Yield the pages of all listings in order, reading several below parents at once.

        Where the path has fixed values, such as the statuses of a document, rows can move from one
        listing to another. If the target deletes rows that are not read, all listings but the last
        are read again in reverse, to find rows that moved back to one already read.
        """
        if self.is_self and agreement.page:
            rows = agreement.page.rows.read_as(self.row_type)
            yield dict(agreement.context), replace(agreement.page, rows=rows)
            return
        contexts = self.contexts(agreement)
        if self.deletes and self._rows_move:
            forth = list(contexts)
            contexts = iter([*forth, *forth[-2::-1]])
        listings = (ListingReader(self, agreement, c, filter_).pages() for c in contexts)
        at_once = self.concurrency if self.parent else 1
        yield from self.prefetcher.ordered(listings, at_once=at_once)

    @property
    def _rows_move(self) -> bool:
        """Whether rows can move from one listing of the stream to another."""
        return any(isinstance(values, tuple) for values in self.path_params.values())

    @property
    def prefetcher(self) -> Prefetcher:
        """Reads several listings, or key ranges of one, at the same time."""
        return self.run.prefetcher

    @property
    def concurrency(self) -> int:
        """Maximum requests in flight for one agreement."""
        return int(self.run.setting("concurrency"))

    @property
    def deletes(self) -> bool:
        """Whether the target deletes rows that are not read: `emit_activate_version_messages`."""
        return bool(self.run.setting("emit_activate_version_messages"))

    @cached_property
    def documented(self) -> frozenset[str]:
        """The documented properties of a row, except links."""
        columns: Mapping[str, Any] = self._raw_schema["properties"]
        return frozenset(
            column.get("x-source", name).partition(".")[0]
            for name, column in columns.items()
            if not {"x-link", "x-stamp"} & column.keys()
        )

    @property
    def own_primary_keys(self) -> tuple[str, ...]:
        """The primary key that the class declares.

        A catalog may declare a different one or none, which may not identify a row.
        """
        declared: Any = type(self).primary_keys
        return tuple(declared)

    @property
    def identity_columns(self) -> tuple[str, ...]:
        """The primary key columns in a row itself: without the agreement and path parameters."""
        elsewhere = {"agreementNumber", *self.path_params}
        return tuple(key for key in self.own_primary_keys if key not in elsewhere)

    @property
    def is_counted(self) -> bool:
        """Whether e-conomic can count the rows of a listing."""
        return self.counted and self.paginator_class is None and not self.is_single_object

    @property
    def is_unique(self) -> bool:
        """Whether no two rows of a listing have the same number."""
        return self.identity_columns == (self.keyset,)

    def sibling(self, of: type[EconomicStream]) -> EconomicStream:
        """Return another stream of the run."""
        return self.run.stream(of)

    @property
    def ancestors(self) -> list[EconomicStream]:
        """The stream above this one, the one above that, and so on."""
        if self.parent is None:
            return []
        above = self.run.stream(self.parent)
        return [above, *above.ancestors]

    def doubts(self, agreement: Agreement) -> bool:
        """Return whether rows may be missing: its own, its parents', or edits in its changelog."""
        changelog = getattr(self.replication, "changelog", None)
        sources = [self, *self.ancestors, *([self.sibling(changelog)] if changelog else [])]
        return any(agreement.number in source.in_doubt for source in sources)

    def keeps_moving(self, agreement: Agreement) -> None:
        """Record that no two passes returned the same rows."""
        self.in_doubt.add(agreement.number)
        self.logger.warning(
            "%s: %s kept changing during %d passes. The next run may read more rows",
            agreement,
            self.path,
            MOST_READINGS,
        )

    def knows_parents(self, agreement: Agreement) -> bool:
        """Return whether each parent listing has, and always had, the count e-conomic reports.

        Children may have been read for rows of an earlier reading.
        """
        return all(
            agreement.number not in above.misread and above.is_as_counted(agreement)
            for above in self.ancestors
        )

    def is_as_counted(self, agreement: Agreement) -> bool:
        """Return whether `keys` yielded the number of rows that e-conomic counts."""
        rows = self.uncounted.get(agreement.number)
        if rows is None:
            return True
        try:
            is_complete = self.is_counted and self.count(agreement, None) <= rows
        except UncountedError:
            return False
        if is_complete:
            self.uncounted.pop(agreement.number, None)
        return is_complete

    def forget_parents(self, agreement: Agreement) -> None:
        """Drop the cached keys of the parents, so that they are read again."""
        self._forget_keys(agreement, self.ancestors)

    def _forget_keys(self, agreement: Agreement, streams: Sequence[EconomicStream]) -> None:
        listings = {(stream.name, agreement.number) for stream in streams}
        self.run.parents.forget(lambda known: known[:2] in listings)

    def may_be_missing(self, agreement: Agreement, context: PathContext) -> bool:
        """Return whether a 404 is expected: the parent lacks the object, or was deleted.

        A deleted parent is reported. If the parent still exists, the 404 is a failure: e-conomic
        may not have recognised the path.
        """
        if self.parent is None:
            return False
        if not self.optional:
            self._forget_keys(agreement, self.ancestors[:1])
            if context in list(self.contexts(agreement)):
                return False
            self.run.report.vanish(self.name, agreement)
        self.logger.debug("%s: nothing at %s", agreement, fill(self.path, context))
        return True

    def identities(self, page: Page, context: PathContext) -> list[tuple[str | None, ...]]:
        """Return the primary key of each row of a page, None for columns that a row lacks."""
        keys = self._values(page, self.own_primary_keys, context)
        return [tuple(None if value is None else str(value) for value in key) for key in keys]

    def count(self, agreement: Agreement, filter_: str | None) -> int:
        """Return how many rows of all listings match the filter."""
        contexts = self.contexts(agreement)
        return sum(self.count_of(agreement.http, context, filter_) for context in contexts)

    def count_of(self, http: HttpClient, context: PathContext, filter_: str | None) -> int:
        """Return how many rows of one listing match the filter. May run in any thread.

        Raises:
            UncountedError: e-conomic cannot count them.
            EconomicError: the request failed.
        """
        try:
            return self.count_one(http, context, filter_)
        except _NO_COUNT as error:
            raise UncountedError(str(error)) from None

    def keys(
        self, agreement: Agreement, columns: tuple[str, ...], filter_: str | None = None
    ) -> Iterator[tuple[Any, ...]]:
        """Yield these columns of every row, from which a child stream fills its path.

        Raises:
            BadResponseError: a row lacks one of them.
        """
        rows, is_counted = 0, True
        for page, found in self.column_pages(agreement, columns, filter_):
            if any(None in row for row in found):
                raise BadResponseError(f"a row of {self.name} has no {', '.join(columns)}")
            rows, is_counted = rows + len(found), is_counted and page.results is not None
            yield from found
        if filter_ is None and self.uncounted.get(agreement.number, rows) != rows:
            self.misread.add(agreement.number)
        if is_counted:
            self.uncounted.pop(agreement.number, None)
        elif filter_ is None:
            self.uncounted[agreement.number] = rows

    def column_pages(
        self, agreement: Agreement, columns: tuple[str, ...], filter_: str | None = None
    ) -> Iterator[tuple[Page, list[tuple[Any, ...]]]]:
        """Yield each page with these columns of its rows, None where a row lacks one."""
        for context, page in self.read(agreement, filter_):
            yield page, self._values(page, columns, context)

    def _values(
        self, page: Page, columns: tuple[str, ...], context: PathContext
    ) -> list[tuple[Any, ...]]:
        if columns not in self._row_types:
            selection = Selection(lambda crumb: crumb[1] in columns)
            self._row_types[columns] = RowType(self._raw_schema, selection, Drift())
        rows = page.rows.read_as(self._row_types[columns])
        rows.finalize(context)
        return rows.values(columns)

    # Hooks that the SDK calls

    @property
    def replication_method(self) -> str:
        """INCREMENTAL if the class or the catalog requests it, else FULL_TABLE."""
        if self.forced_replication_method:
            return str(self.forced_replication_method)
        incremental = self.replication_key and not self.replication.opt_in
        return INCREMENTAL if incremental else FULL_TABLE

    @property  # type: ignore[misc]  # the SDK's setter is for keys known beforehand
    def state_partitioning_keys(self) -> Sequence[str] | None:
        """None, one state per agreement, if there is state to keep; else `()`, no state."""
        keeps_state = self.replication_method == INCREMENTAL or self.is_self
        return None if keeps_state or self.deletes else ()

    @property
    def partitions(self) -> list[dict[str, Any]] | None:
        """One partition per agreement."""
        return [dict(agreement.context) for agreement in self.run.agreements]

    def get_replication_key_signpost(self, context: Context | None = None) -> None:
        """Return None: `replication` limits bookmarks, not the SDK."""

    @property
    def emit_activate_version_messages(self) -> bool:
        """False: the SDK would send the message before the rows, and a killed run would lose them.

        The setting of this name is `deletes`; `_activate_version` sends the message.
        """
        return False

    def log_sync_costs(self) -> None:
        """Write the last STATE: the SDK calls this last, after all streams have been read."""
        super().log_sync_costs()
        self.run.finish()

    # The loop

    def _sync_records(
        self, context: Context | None = None, *, write_messages: bool = True
    ) -> Generator[Record, Any, Any]:
        """Read every agreement, write its records, then move its bookmark.

        This replaces the SDK's loop, whose partition state cannot always be resumed and may cover
        rows that were not written. If one agreement fails, the others continue. Records are written
        page by page; they are only yielded if no messages are to be written.
        """
        self._records_seen = 0
        began = time.monotonic()
        coverage = self._coverage()
        # State of earlier runs is void after this one, unless it reads only what events name.
        if self.state_partitioning_keys == () and not self.run.event_plan:
            self.stream_state.pop("partitions", None)
        if self.deletes:
            self._stream_version = self._initialized_at // 1000
        with self.get_record_counter() as counter, self.get_sync_timer() as timer:
            for agreement in self.agreements(context):
                counter.with_context(agreement.context)
                timer.with_context(agreement.context)
                try:
                    yield from self._follow(agreement, coverage, counter, write=write_messages)
                except EconomicError as error:
                    self._note_failure(agreement, error, coverage)
        for line in self._drift.report():
            self.logger.warning("Schema drift: %s", line)
        self.run.report.read(self.name, self._records_seen, time.monotonic() - began)
        if write_messages:
            self._activate_version(coverage)
            self._write_state_message()
            self.run.writer.flush()

    def begin(self, agreement: Agreement) -> Iterator[Step | Partition]:
        """Return the pages of a partition, and at the end the partition itself.

        Pages may be read long before they are written. So the reading moves the bookmark in a copy
        of the state, which `_commit_state` merges into the SDK's once a page is written.

        Raises:
            ConfigError: the catalog requests a replication that the endpoint does not support.
        """
        _ = self.row_type  # made in the main thread, once
        options = Options(
            full_refresh=self._full_refresh,
            start=start_date(self.config),
            lookback_minutes=self.run.setting("lookback_minutes"),
        )
        state: dict[str, Any] = {}
        if self.replication_method == INCREMENTAL:
            if not self.replication_key or self.replication_key != self.replication.key:
                raise ConfigError(
                    f"{self.name} does not support INCREMENTAL replication by "
                    f"{self.replication_key!r}"
                )
            state = {**self._known_states.get(agreement.number, {})}
            make = partial(self.replication.incremental, self, agreement, state, options)
        else:
            make = partial(self.replication.full_table, self, agreement, options)
        known = self.run.rows_before(agreement).get(self.name)
        before: int | None = int(self.deletes) if known is None else known
        if before == 1 and self.deletes and not self.is_single_object:
            before = None  # not known

        def ordinary() -> Partition:
            partition = Partition(self, agreement, make, state, before)
            partition.known = known
            return partition

        if self.run.event_plan:
            return self.run.event_plan.steps(self, agreement, ordinary, state, options)
        return ordinary().steps()

    def _follow(
        self, agreement: Agreement, coverage: Coverage, counter: Counter, *, write: bool
    ) -> Generator[Record, None, None]:
        """Read an agreement completely; its records are either written or yielded."""
        mapped = self._is_mapped or bool(self.config.get("batch_config"))
        builder = RecordBuilder(self.own_primary_keys, mapped=mapped)
        key = self.name, agreement.number
        with (
            self.run.prefetcher.partition(key, partial(self.begin, agreement)) as steps,
            self._collected(agreement, write=write) as lines,
        ):
            for step in steps:
                if isinstance(step, Partition):
                    builder.finish()
                    self._end(agreement, step, coverage, lines)
                    return
                self.run.stop.check()
                self._note_rows(agreement, step.page.rows)
                records = builder.records(step.page.rows, step.context)
                agreement.rows += len(records)
                if write:
                    self._write_state_before(agreement, step)
                    self._write_records(records, counter)
                else:
                    yield from self._counted(records, counter)
                if builder.complete:
                    self._commit_state(agreement, step.state)
                self.run.progress.wrote(self.name, step, agreement.http.rate_limit.left)
                if write:
                    self.run.writer.end_page()
                    self.state_manager.is_flushed = False
                    self._write_state_message()

    @contextmanager
    def _collected(self, agreement: Agreement, *, write: bool) -> Iterator[Collected | None]:
        """Collect the lines of an agreement, if they are only sent when one of them changed."""
        unchanged, before = self.run.unchanged, self._records_seen
        if unchanged is None or not write or self.replication_method == INCREMENTAL:
            yield None
            return
        lines = None
        try:
            with unchanged.collect(self.name, agreement.number, self._schema_lines) as lines:
                yield lines
        finally:
            if lines and not lines.is_sent:
                rows = self._records_seen - before
                self._records_seen = before
                agreement.rows -= rows
                if lines.is_same:
                    self.run.report.same(self.name, rows)

    def _write_schema_message(self) -> None:
        """Write the SCHEMA messages, unless `unchanged` does so when there is something to send."""
        if self.run.unchanged is None or self.replication_method == INCREMENTAL:
            super()._write_schema_message()

    @cached_property
    def _schema_lines(self) -> bytes:
        """The SCHEMA messages of the stream."""
        messages = self._generate_schema_messages()
        return b"".join(map(self.run.writer.serialize_message, messages))

    def _note_rows(self, agreement: Agreement, rows: Rows) -> None:
        """Note in the state that there are rows; if the key is inferred, count its duplicates."""
        if rows:
            known = self.run.rows_before(agreement)
            known[self.name] = known.get(self.name) or 1
            if self.deletes:
                self.get_context_state(agreement.context).setdefault(FULL_READ_AT, None)
        if self.key_is_inferred:
            keys = list(zip(*(rows.column(name) for name in self.identity_columns), strict=True))
            with suppress(TypeError):  # a key that is a list: of another type than documented
                self._drift.twins(len(keys) - len(set(keys)))

    def _commit_state(self, agreement: Agreement, state: dict[str, Any]) -> None:
        """Copy the state of a reading, bookmark included, into the SDK's: its rows are written."""
        if self.state_partitioning_keys == ():
            return
        partition = self.get_context_state(agreement.context)
        for name in set(partition) - set(state) - _NOT_OF_THE_READING:
            del partition[name]
        partition.update(state)

    def _write_state_before(self, agreement: Agreement, step: Step) -> None:
        """Write a STATE at once if one has to precede the rows of a page."""
        if step.beforehand:
            self.get_context_state(agreement.context).update(step.beforehand)
            self.run.write_state_now()

    def _end(
        self,
        agreement: Agreement,
        partition: Partition,
        coverage: Coverage,
        lines: Collected | None,
    ) -> None:
        """Finish an agreement; the bookmark stays where it is if rows may be missing."""
        reading = partition.reading
        if reading.full_refresh:
            self.run.read_in_full.add(self.name)
        if self.doubts(agreement):
            coverage.doubted(agreement)
        else:
            if lines:
                lines.settle(complete=True)
            self._commit_state(agreement, partition.state)
            self.run.ended[self.name, agreement.number] = True
            sure = self.deletes or (partition.is_compared and not self._rows_move)
            is_same = lines is not None and lines.is_same
            if reading.covers_everything and sure and not is_same:
                agreement.whole.add(self.name)
            if reading.full_refresh:
                self.run.rows_before(agreement)[self.name] = partition.rows
                if self.deletes or self.run.setting("full_refresh_days"):
                    self.get_context_state(agreement.context)[FULL_READ_AT] = now_text()
        coverage.read(agreement, whole=reading.covers_everything)
        if not self.is_self:
            self.run.report.allow(agreement)
        self.state_manager.is_flushed = False

    def _note_failure(self, agreement: Agreement, error: EconomicError, coverage: Coverage) -> None:
        """Record why one agreement could not be read, or not completely; the others continue."""
        if isinstance(error, AccessDeniedError) and self._is_served_in_part(agreement):
            error = EconomicError(f"partway through the stream: {error}")
        if isinstance(error, AccessDeniedError):
            self.logger.info("Skipped for %s: %s", agreement, error)
            self.run.report.skip(self.name, agreement, error)
            self.run.ended[self.name, agreement.number] = False
            if coverage.denied(agreement) and self.deletes:
                self.get_context_state(agreement.context).setdefault(FULL_READ_AT, None)
            return
        coverage.missed(agreement)
        if isinstance(error, GrantRefusedError):
            self.run.refuse(agreement, error)
        else:
            self.logger.error("Failed for %s: %s", agreement, error)
            self.run.report.fail(self.name, agreement, error)

    def _is_served_in_part(self, agreement: Agreement) -> bool:
        """Return whether access is denied to a part of the stream only: then it is incomplete.

        Listings below parents are read several at once, and any of them may be the first.
        """
        if agreement.http in self.served:
            return True
        if any(agreement.http not in above.served for above in self.ancestors[:1]):
            return False  # it is the parent that was denied
        try:
            contexts = list(self.contexts(agreement))
            if len(contexts) > 1:
                query = self.get_new_paginator(None).current_value
                self.fetch(agreement.http, contexts[-1], query)
        except AccessDeniedError:
            return False
        except EconomicError:
            return True  # it cannot be told
        return len(contexts) > 1

    def agreements(self, context: Context | None = None) -> Iterator[Agreement]:
        """Yield the agreements to read the stream of."""
        for agreement in self.run.agreements:
            wanted = context is None or context.get("agreementNumber") == agreement.number
            if self.run.event_plan:
                wanted &= self.run.event_plan.includes(agreement.number, self.name)
            if wanted and not agreement.refused:
                yield agreement

    # Deleted rows

    def _coverage(self) -> Coverage:
        # What `agreements` remembers is `companies_before`.
        partitions = [] if self.is_self else self.stream_state.get("partitions", [])
        gaps = [f"{grant.where} could not be read" for grant in self.run.agreements.failures]
        gaps += [f"{grant.where} is disabled" for grant in self.run.disabled]
        before = self.run.companies_before
        had_rows = {number for number, streams in before.items() if self.name in streams}
        coverage = Coverage(partitions, before, gaps, had_rows)
        for agreement in self.run.agreements:
            if agreement.refused:
                coverage.missed(agreement)
        return coverage

    def _activate_version(self, coverage: Coverage) -> None:
        """Write ACTIVATE_VERSION, unless `coverage` has a gap or was only incremental."""
        if not self.deletes or self._stream_version is None or coverage.partial:
            return
        if coverage.gap is None:
            self._write_activate_version_message(self._stream_version)
        else:
            self.run.report.keep(self.name, coverage.gap)

    @cached_property
    def _full_refresh(self) -> bool:
        """Whether some company's last full read is `full_refresh_days` old: then all are read."""
        days = self.run.setting("full_refresh_days")
        if not days or self.replication_method != INCREMENTAL:
            return False
        latest = pendulum.now("UTC").subtract(days=days)
        states = [self._known_states.get(a.number, {}) for a in self.agreements(None)]
        ages = [parse_instant(s.get(FULL_READ_AT)) for s in states if "replication_key_value" in s]
        return any(at is None or at <= latest for at in ages)

    @cached_property
    def _known_states(self) -> dict[int, dict[str, Any]]:
        """The partitions in the state at the start of the run, by agreementNumber."""
        known = self.tap_state.get("bookmarks", {}).get(self.name, {}).get("partitions", [])
        return {
            partition.get("context", {}).get("agreementNumber", 0): dict(partition)
            for partition in known
        }

    # What is written

    @cached_property
    def row_type(self) -> RowType:
        """How rows become records."""
        selection = Selection(self.mask.__getitem__, bool(self.config.get("include_links")))
        return RowType(
            self._raw_schema,
            selection,
            self._drift,
            absent=self._absent,
            fill_booleans=self._documented,
            as_text=self.run.setting("decimals") != "number",
        )

    @property
    def _absent(self) -> UnsetType | None:
        """The value of a column that e-conomic omits."""
        return UNSET if self.run.setting("absent_columns") == "omit" else None

    @property
    def _documented(self) -> bool:
        """Whether the schema file describes the version that is served."""
        return True

    @property
    def _is_mapped(self) -> bool:
        """Whether stream maps or flattening change the records."""
        return bool(self.config.get("stream_maps") or self.config.get("flattening_enabled"))

    def _write_records(self, records: Sequence[Record], counter: Counter) -> None:
        """Write a page, straight to the buffer if nothing has to be mapped."""
        limit = self.ABORT_AT_RECORD_COUNT
        wanted = records if limit is None else records[: max(limit - self._records_seen, 0)]
        if self._is_mapped:
            for record in wanted:
                self._write_mapped(dict(record))
        else:
            version = self._stream_version if self.deletes else None
            self.run.writer.write_records(self.name, wanted, version)
        self._records_seen += len(wanted)
        counter.increment(len(wanted))
        if len(wanted) < len(records):
            self._check_max_record_limit(current_record_index=self._records_seen)

    def _write_mapped(self, record: Record) -> None:
        try:
            self._write_record_message(record)
        except OSError:  # the target is gone, or the disk is full
            raise
        except Exception as error:  # noqa: BLE001  whatever a user's expression raises
            kind = type(error.__cause__ or error).__name__
            raise ConfigError(f"the stream map of {self.name} cannot be applied ({kind})") from None

    def _generate_record_messages(self, record: Record) -> Generator[RecordMessage, None, None]:
        """Yield a record as the stream maps change it.

        The SDK's own method drops properties that are not in the schema, and its flattening turns
        an object that is null into one column instead of several.
        """
        fill = self.config.get("flattening_enabled") and self._absent is None
        for stream_map in self.stream_maps:
            mapped = stream_map.transform(record)
            if mapped is None:
                continue
            if fill:
                columns = dict.fromkeys(stream_map.transformed_schema["properties"])
                mapped = columns | {
                    k: v for k, v in mapped.items() if k in columns or v is not None
                }
            yield RecordMessage(
                stream=stream_map.stream_alias,
                record=mapped,
                version=self._stream_version,
                time_extracted=utc_now(),
            )

    def _counted(
        self, records: Sequence[Record], counter: Counter
    ) -> Generator[Record, None, None]:
        for record in records:
            self._check_max_record_limit(current_record_index=self._records_seen)
            self._records_seen += 1
            counter.increment()
            yield record
