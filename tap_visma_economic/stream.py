"""The sync loop: agreements, readings, records and messages of one stream.

This is the half of a stream that Singer sees: replication, state, RECORD and STATE. The SDK does
the rest: catalog, selection, stream maps, metrics.
"""

from __future__ import annotations

import sys
import time
from contextlib import suppress
from functools import cached_property
from typing import TYPE_CHECKING, Any

import pendulum
from msgspec import UNSET
from singer_sdk.helpers._util import utc_now
from singer_sdk.singerlib import RecordMessage

from tap_visma_economic.activate_version import BEGUN, ROWS, Coverage
from tap_visma_economic.ahead import Unit
from tap_visma_economic.endpoint import Endpoint
from tap_visma_economic.errors import (
    AccessDeniedError,
    ConfigError,
    EconomicError,
    GrantRefusedError,
)
from tap_visma_economic.kinds import Listing, Replication
from tap_visma_economic.records.record_builder import RecordBuilder
from tap_visma_economic.records.row_type import RowType, as_dictionary, column
from tap_visma_economic.records.selection import Selection
from tap_visma_economic.records.values import instant_text
from tap_visma_economic.replication.base import parse_instant
from tap_visma_economic.strategy import INCREMENTAL, reading_of

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence

    from msgspec import UnsetType
    from singer_sdk import Tap
    from singer_sdk.helpers.types import Context
    from singer_sdk.metrics import Counter

    from tap_visma_economic.agreement import Agreement
    from tap_visma_economic.ahead import Step
    from tap_visma_economic.records.selection import Record, Row
    from tap_visma_economic.replication.repeated import RepeatedReading
    from tap_visma_economic.run import Run

FULL_TABLE = "FULL_TABLE"


class EconomicStream(Endpoint):
    """Base of all streams."""

    def __init__(self, tap: Tap, run: Run) -> None:
        super().__init__(tap, run)
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
        return None if keeps_state or self.deletes else ()

    @property
    def partitions(self) -> list[dict[str, Any]] | None:
        """One partition per agreement."""
        return [dict(agreement.context) for agreement in self.run.agreements]

    def get_replication_key_signpost(self, context: Context | None = None) -> None:
        """Return None: bookmarks are kept from running ahead by `readings`, not by the SDK."""

    @property
    def emit_activate_version_messages(self) -> bool:
        """False: the SDK would send the message before the rows, and a cut run lose them.

        The setting of this name is obeyed at the end of `_sync_records`.
        """
        return False

    def get_records(self, context: Context | None) -> Iterator[Record]:
        """Yield the records of one agreement, or of all, without bookmarks or messages."""
        for agreement in self._agreements(context):
            for path_context, page in self.read(agreement, None):
                yield from map(as_dictionary, page.typed.finalize(path_context))

    def log_sync_costs(self) -> None:
        """Write the last STATE: this is the SDK's last call, after all streams have been read."""
        super().log_sync_costs()
        self.run.finish()

    def doubts(self, agreement: Agreement) -> bool:
        """Return whether e-conomic may have rows that were not read, or edits that were not."""
        edits = self.changelog is not None and self.run.stream(self.changelog).doubts(agreement)
        return super().doubts(agreement) or edits

    # The loop

    def _sync_records(
        self, context: Context | None = None, *, write_messages: bool = True
    ) -> Generator[Record, Any, Any]:
        """Read every agreement, write records, then move its bookmark.

        The SDK's own loop gives partitions a state that cannot be resumed or that claims too much:
        this takes its place. One agreement's failure is noted and the others go on. Whole pages
        are written, so that records are only yielded if they are not.
        """
        self._records_seen = 0
        began = time.monotonic()
        coverage = self._coverage()
        if self.state_partitioning_keys == ():  # what an older run knew is not true after this one
            self.stream_state.pop("partitions", None)
        if self.deletes:
            self._stream_version = self._initialized_at // 1000
        with self.get_record_counter() as counter, self.get_sync_timer() as timer:
            for agreement in self._agreements(context):
                counter.with_context(agreement.context)
                timer.with_context(agreement.context)
                try:
                    yield from self._follow(agreement, coverage, counter, write=write_messages)
                except EconomicError as error:
                    self._note(agreement, error, coverage)
        for line in self._drift.report():
            self.logger.warning("Schema drift: %s", line)
        self.run.report.read(self.name, self._records_seen, time.monotonic() - began)
        if write_messages:
            self._activate_version(coverage)
            self._write_state_message()
            self.run.writer.flush()

    def begin(self, agreement: Agreement) -> tuple[RepeatedReading, dict[str, Any]]:
        """Return what this run asks of an agreement, and the state that the reading keeps.

        It may be read long before its turn to be written: the state is a copy until then.
        """
        _ = self.row_type  # made in the main thread, once
        # What an older run read by a bookmark is not true any more after one that keeps none.
        keeps_bookmark = self.replication_method == INCREMENTAL
        state = {**self._known_state(agreement)} if keeps_bookmark else {}
        unknown = int(self.deletes)  # the table may have some
        before = self.run.rows_before(agreement).get(self.name, unknown)
        if before == 1 and self.deletes and self._is_never_counted:  # 1: not known yet
            before = sys.maxsize
        return reading_of(self, agreement, state, anew=self._anew, before=before), state

    @property
    def _is_never_counted(self) -> bool:
        return not self.is_counted and self.listing not in {Listing.SELF, Listing.SINGLETON}

    def _follow(
        self, agreement: Agreement, coverage: Coverage, counter: Counter, *, write: bool
    ) -> Generator[Record, None, None]:
        """Follow a reading to its end; records are either written or yielded.

        Raises:
            EconomicError: it could not be read to the end.
            AccessDeniedError: nothing of it may be read.
        """
        builder = self._record_builder(agreement)
        with self.run.ahead.unit(self, agreement) as steps:
            for step in _denied_at_once(steps):
                if isinstance(step, Unit):
                    builder.finish()
                    self._end(agreement, step, coverage)
                    return
                self.run.stop.check()
                if step.page.rows:
                    self._now_has_rows(agreement)
                self._look_for_twins(step.page.rows)
                records = builder.records(step.page.typed, step.context)
                if write:
                    self._tell_beforehand(agreement, step)
                    self._write_records(records, counter)
                else:
                    yield from self._counted(records, counter)
                if builder.complete:
                    self._move_on(agreement, step.state)
                self.run.progress.wrote(self.name, step, agreement.http.rate_limit.left)
                if write:
                    self._end_page()

    def _now_has_rows(self, agreement: Agreement) -> None:
        """Let the state tell that rows were written, even if they do not all come."""
        self.run.rows_before(agreement).setdefault(self.name, 1)
        if self.deletes:
            self.get_context_state(agreement.context).setdefault(BEGUN, None)

    def _look_for_twins(self, rows: Sequence[Row]) -> None:
        """Note rows of one page with the same key, where no document says that there are none."""
        if self.key_is_inferred:
            keys = list(zip(*(column(rows, name) for name in self.row_keys), strict=True))
            with suppress(TypeError):  # a key that is a list: of another type than documented
                self._drift.twins(len(keys) - len(set(keys)))

    def _move_on(self, agreement: Agreement, state: dict[str, Any]) -> None:
        """Take over the state of a reading: the rows it tells of are written."""
        if self.state_partitioning_keys == ():
            return
        partition = self.get_context_state(agreement.context)
        for name in set(partition) - set(state) - {"context", BEGUN, ROWS}:
            del partition[name]
        partition.update(state)

    def _tell_beforehand(self, agreement: Agreement, step: Step) -> None:
        """Write a STATE at once where one has to precede the rows of a page."""
        if step.beforehand:
            self.get_context_state(agreement.context).update(step.beforehand)
            self.state_manager.is_flushed = False
            self._write_state_message()
            self.run.state_writer.finish()

    def _end(self, agreement: Agreement, unit: Unit, coverage: Coverage) -> None:
        """All rows of an agreement are written; the bookmark stays where some may be missing."""
        reading = unit.reading
        if self.doubts(agreement):
            coverage.doubted(agreement)
        else:
            self._move_on(agreement, unit.state)
            if reading and reading.anew:
                self.run.rows_before(agreement)[self.name] = reading.rows
        if reading and reading.anew:
            self.run.read_anew.add(self.name)
            if self.deletes or self.run.setting("full_refresh_days"):
                now = instant_text(pendulum.now("UTC").replace(microsecond=0))
                self.get_context_state(agreement.context)[BEGUN] = now
        coverage.read(agreement, whole=bool(reading and reading.whole))
        if self.listing is not Listing.SELF:
            self.run.report.allow(agreement)
        self.state_manager.is_flushed = False

    def _note(self, agreement: Agreement, error: EconomicError, coverage: Coverage) -> None:
        """One agreement's failure is noted, and the others go on."""
        if isinstance(error, AccessDeniedError):
            self.logger.info("Skipped for %s: %s", agreement, error)
            self.run.report.skip(self.name, agreement, error)
            if coverage.denied(agreement) and self.deletes:
                self.get_context_state(agreement.context).setdefault(BEGUN, None)
            return
        coverage.missed(agreement)
        if isinstance(error, GrantRefusedError):
            self.run.refuse(agreement, error)
        else:
            self.logger.error("Failed for %s: %s", agreement, error)
            self.run.report.fail(self.name, agreement, error)

    def _agreements(self, context: Context | None) -> Iterator[Agreement]:
        for agreement in self.run.agreements:
            wanted = context is None or context.get("agreementNumber") == agreement.number
            if wanted and not agreement.refused:
                yield agreement

    # Deleted rows

    def _coverage(self) -> Coverage:
        remembers = self.listing is not Listing.SELF  # that one's state is `companies_before`
        coverage = Coverage(
            self.stream_state.get("partitions", []) if remembers else [],
            self.run.companies_before,
            [line.partition(": ")[0] for line in self.run.agreements.failures]
            + [f"{grant.where} (disabled)" for grant in self.run.disabled],
        )
        for agreement in self.run.agreements:
            if agreement.refused:
                coverage.missed(agreement)
        return coverage

    def _activate_version(self, coverage: Coverage) -> None:
        """Say that every row of the table that is not of this run is gone, if that is so."""
        if not self.deletes or self._stream_version is None or coverage.partial:
            return
        if coverage.gap is None:
            self._write_activate_version_message(self._stream_version)
        else:
            self.run.report.keep(self.name, coverage.gap)

    @cached_property
    def _anew(self) -> bool:
        """Whether a company was last read in full too many days ago: then all are."""
        days = self.run.setting("full_refresh_days")
        if not days or self.replication_method != INCREMENTAL:
            return False
        latest = pendulum.now("UTC").subtract(days=days)
        states = [self._known_state(agreement) for agreement in self._agreements(None)]
        ages = [parse_instant(s.get(BEGUN)) for s in states if "replication_key_value" in s]
        return any(at is None or at <= latest for at in ages)

    def _known_state(self, agreement: Agreement) -> dict[str, Any]:
        """Return what the state tells of an agreement, without making a partition for it."""
        return self._partitions.get(agreement.number, {})

    @cached_property
    def _partitions(self) -> dict[int, dict[str, Any]]:
        """The partitions that this run began with, by agreementNumber."""
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
        """What stands for a column that e-conomic leaves out."""
        return UNSET if self.run.setting("absent_columns") == "omit" else None

    def _record_builder(self, agreement: Agreement) -> RecordBuilder:
        return RecordBuilder(
            keys=self.own_primary_keys,
            drift=self._drift,
            logger=self.logger,
            agreement=agreement,
            mapped=self._is_mapped or bool(self.config.get("batch_config")),
        )

    @property
    def _documented(self) -> bool:
        """Whether the schema file describes what is served."""
        return True

    @property
    def _is_mapped(self) -> bool:
        """Whether the SDK changes records on their way out."""
        return bool(self.config.get("stream_maps") or self.config.get("flattening_enabled"))

    def _write_records(self, records: Sequence[Record], counter: Counter) -> None:
        """Write a page: straight to the buffer where nothing has to be mapped."""
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
        except Exception as error:  # noqa: BLE001  whatever a user's expression comes to
            kind = type(error.__cause__ or error).__name__
            raise ConfigError(f"the stream map of {self.name} cannot be applied ({kind})") from None

    def _generate_record_messages(self, record: Record) -> Generator[RecordMessage, None, None]:
        """Yield what the stream maps make of a record.

        The SDK's own would drop what no schema names. Its flattening leaves out the columns of an
        object that is null, and names the object instead.
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

    def _end_page(self) -> None:
        self.run.writer.end_page()
        self.state_manager.is_flushed = False
        self._write_state_message()


def _denied_at_once(steps: Iterator[Step | Unit]) -> Iterator[Step | Unit]:
    """Yield the steps of a unit, of which nothing may be read or everything.

    Raises:
        EconomicError: a part of it may not be read: it is not whole, and no stream to skip.
    """
    begun = False
    try:
        for step in steps:
            begun = True
            yield step
    except AccessDeniedError as error:
        if begun:
            raise EconomicError(f"in the middle of it: {error}") from None
        raise
