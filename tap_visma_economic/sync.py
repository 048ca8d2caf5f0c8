"""The sync loop: agreements, readings, records and messages of one stream.

This is the half of a stream that Singer sees: replication, state, RECORD and STATE. The SDK does
the rest: catalog, selection, stream maps, metrics.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from singer_sdk.helpers._util import utc_now

from tap_visma_economic.endpoint import Endpoint
from tap_visma_economic.errors import (
    AccessDeniedError,
    ConfigError,
    EconomicError,
    GrantRefusedError,
)
from tap_visma_economic.filters import compare
from tap_visma_economic.kinds import Listing, Replication
from tap_visma_economic.numbered import ChangingNumberReading, NumberReading, OpenNumberReading
from tap_visma_economic.readings import FullReading, InstantReading
from tap_visma_economic.records import Projection, Rules
from tap_visma_economic.settings import start_date
from tap_visma_economic.writer import BufferedWriter

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Sequence

    from singer_sdk.helpers.types import Context

    from tap_visma_economic.agreements import Agreement
    from tap_visma_economic.kinds import OpenRows
    from tap_visma_economic.pages import Page
    from tap_visma_economic.readings import Reading, Stamps
    from tap_visma_economic.records import Record
    from tap_visma_economic.tap import TapVismaEconomic

INCREMENTAL = "INCREMENTAL"
FULL_TABLE = "FULL_TABLE"


class EconomicStream(Endpoint):
    """Base of all streams.

    Class attributes say how new and changed rows are found: `replication` with the SDK's
    `replication_key`; `start_date_property`, the date by which the setting start_date bounds rows
    that are numbered; `open_rows` and `open_listing`, how rows that can still change are found;
    `changelog`, the stream that tells which rows were edited.
    """

    replication: ClassVar[Replication] = Replication.TIMESTAMP
    start_date_property: ClassVar[str | None] = None
    open_rows: ClassVar[OpenRows | None] = None
    open_listing: ClassVar[type[EconomicStream] | None] = None
    changelog: ClassVar[type[EconomicStream] | None] = None

    def __init__(self, tap: TapVismaEconomic) -> None:
        super().__init__(tap)
        self.selected_by_default = True  # the catalog holds what is asked for, see `all_streams`
        self._records_seen = 0

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
        """Return None: bookmarks are kept from running ahead by `readings`, not by the SDK."""

    @property
    def emit_activate_version_messages(self) -> bool:
        """False: the SDK would send the message before the rows, and a cut run lose them."""
        return False

    def get_records(self, context: Context | None) -> Iterator[Record]:
        """Yield the records of one agreement, or of all, without bookmarks or messages."""
        for agreement in self._agreements(context):
            for stamps, page in self.read(agreement, None):
                for row in page.rows:
                    yield self._project(row, stamps)

    def log_sync_costs(self) -> None:
        """Write the last STATE: this is the SDK's last call, after all streams have been read."""
        super().log_sync_costs()
        self._tap.finish()

    # The loop

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
            self._tap.message_writer.flush()

    def _sync_agreement(
        self, agreement: Agreement, *, write_messages: bool
    ) -> Generator[Record, None, None]:
        reading = self._reading(agreement)
        write = self._record_writer() if write_messages else None
        for stamps, page in reading.pages():
            self._tap.stop.check()
            for row in page.rows:
                self._check_max_record_limit(current_record_index=self._records_seen)
                record = self._project(row, stamps)
                if write:
                    write(record)
                self._records_seen += 1
                yield record
            reading.saw(page.rows, page.clock)
            if write_messages:
                self._end_page()
        reading.finish()
        self.state_manager.is_flushed = False

    def _agreements(self, context: Context | None) -> Iterator[Agreement]:
        for agreement in self._tap.agreements:
            wanted = context is None or context.get("agreementNumber") == agreement.number
            if wanted and not agreement.refused:
                yield agreement

    # What has to be read

    def _reading(self, agreement: Agreement) -> Reading:
        source = _Source(self, agreement)
        if self.replication_method != INCREMENTAL:
            return FullReading(source)
        declared: object = type(self).replication_key
        key = self.replication_key
        if not key or key != declared:
            raise ConfigError(f"{self.name} cannot be read INCREMENTAL by {key!r}")
        state = self.get_context_state(agreement.context)
        if self.replication in {Replication.FULL, Replication.TIMESTAMP}:
            return InstantReading(
                source,
                state,
                key,
                literal=self.instant_literal,
                lookback_minutes=self._tap.setting("lookback_minutes"),
                start=start_date(self.config),
            )
        return self._reading_by_number(source, state, key)

    def _reading_by_number(self, source: _Source, state: dict[str, Any], key: str) -> Reading:
        start = start_date(self.config) if self.start_date_property else None
        by_date = None
        if self.start_date_property and start:
            by_date = compare(self.start_date_property, "gte", start.to_date_string())
        facts: dict[str, Any] = {
            "single": set(self.primary_keys) == {"agreementNumber", key},
            "ascending": self.parent is None,
            "by_date": by_date,
            "start_date": start.to_date_string() if start else None,
        }
        if self.open_rows:
            return OpenNumberReading(source, state, key, open_rows=self.open_rows, **facts)
        if self.changelog:
            return ChangingNumberReading(
                source,
                state,
                key,
                literal=self.instant_literal,
                lookback_minutes=self._tap.setting("lookback_minutes"),
                **facts,
            )
        return NumberReading(source, state, key, **facts)

    # What is written

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


class _Source:
    """A stream of one agreement, as readings ask it."""

    def __init__(self, stream: EconomicStream, agreement: Agreement) -> None:
        self._stream = stream
        self._agreement = agreement

    def pages(self, bound: str | None) -> Iterator[tuple[Stamps, Page]]:
        return self._stream.read(self._agreement, bound)

    def open_pages(self, bound: str | None) -> Iterator[tuple[Stamps, Page]]:
        listing = self._stream.open_listing
        stream = listing(self._stream._tap) if listing else self._stream  # noqa: SLF001
        return stream.read(self._agreement, bound)

    def count(self, bound: str) -> int:
        return self._stream.count(self._agreement, bound)

    def changed(self, since: str | None) -> Iterator[int]:
        changelog = self._stream.changelog
        if changelog is None:
            return
        declared: object = changelog.replication_key
        bound = compare(str(declared), "gte", since) if since else None
        key = str(self._stream.replication_key)
        for (number,) in changelog(self._stream._tap).keys(self._agreement, (key,), bound):  # noqa: SLF001
            yield number
