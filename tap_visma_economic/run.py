"""A run: what its streams share, from the settings to the report.

The tap makes one and passes it to every stream. Nothing here refers to the tap or a stream by name.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from singer_sdk.helpers._state import get_writeable_state_dict
from singer_sdk.helpers.types import TapState

from tap_visma_economic.agreement import Agreement, Agreements, identified, read_agreements
from tap_visma_economic.agreements_file import Grant
from tap_visma_economic.auth import EconomicAuthenticator, origin_of
from tap_visma_economic.by_stream import DIGESTS, FULL_READ_ROWS
from tap_visma_economic.config import OPENAPI_URL, REST_URL, Config, value_of
from tap_visma_economic.errors import EconomicError, GrantRefusedError
from tap_visma_economic.http import HttpClient
from tap_visma_economic.prefetch import Prefetcher, SingleFlight
from tap_visma_economic.progress import Progress
from tap_visma_economic.rate_limit import RateLimit
from tap_visma_economic.records.pages import Page
from tap_visma_economic.report import Report
from tap_visma_economic.session import Transport
from tap_visma_economic.signals import StopFlag
from tap_visma_economic.writer import BufferedWriter, PatientStateWriter

if TYPE_CHECKING:
    from tap_visma_economic.unchanged import Unchanged

S = TypeVar("S")

REFUSED = "refused"
"""Key in the state of `agreements`: digests of the grants that were rejected in the last run that
used all of them."""

LAST_RUN = "run"
"""Key in a partition of `agreements`: ID of the last run that read it, see `sync_runs`."""

logger = logging.getLogger("tap-visma-economic")

EVENTS = "events"
"""Key in a partition of `agreements`: which webhook events were read, see `events`."""


class Events(Protocol):
    """What an event run reads, as streams use it; see `events`."""

    def includes(self, agreement: int, stream: str | None = None) -> bool: ...  # noqa: D102
    def steps(  # noqa: D102
        self,
        stream: Any,
        agreement: Agreement,
        ordinary: Callable[[], Any],
        state: Any,
        options: Any,
    ) -> Iterator[Any]: ...


class Run:
    """What the streams of one run share.

    Args:
        state: the Singer state, which the streams keep up to date.
        grants: the companies to read, and those that the agreements file disables.
        user_agent: the User-Agent header, unless the settings have one.
        make: returns a new stream of a class.
        read_self: reads `/self`.

    Attributes:
        report: what was read at what cost, skipped or failed.
        progress: the progress line on a terminal.
        state_writer: writes STATE, at most every few seconds.
        read_in_full: streams that were read in full for some company.
        disabled: companies that are not read, although the tables may have rows of them.
        grants: the companies that are read.
        known: agreement numbers by grant token, whose `/self` need not be requested.
        event_plan: what an event run reads; None in a run that reads everything.
        unchanged: knows what the target has already; None if everything is sent.
        ended: streams and agreement numbers that were read completely; false if access was denied.
    """

    def __init__(
        self,
        config: Config,
        state: TapState,
        grants: Sequence[Grant],
        *,
        stop: StopFlag,
        writer: BufferedWriter,
        user_agent: str,
        make: Callable[[type[Any]], Any],
        read_self: Callable[[HttpClient], Page],
    ) -> None:
        self.config = config
        self.stop = stop
        self.writer = writer
        self.state_writer = PatientStateWriter(writer)
        self.report = Report()
        self.progress = Progress(None)
        self.read_in_full: set[str] = set()
        self._state = state
        self.grants = [grant for grant in grants if grant.enabled]
        self.disabled = [grant for grant in grants if not grant.enabled]
        self.known: dict[str, int] = {}
        self.event_plan: Events | None = None
        self.unchanged: Unchanged | None = None
        self.ended: dict[tuple[str, int], bool] = {}
        self._user_agent = user_agent
        self._make = make
        self._read_self = read_self
        self._making = threading.RLock()
        self._streams: dict[type[Any], Any] = {}
        self._refused: dict[str, str] = {}
        self._configured = len(self.grants)

    def setting(self, name: str) -> Any:
        """Return a setting, or its default."""
        return value_of(self.config, name)

    def stream(self, of: type[S]) -> S:
        """Return the run's one stream of a class, even if it is not in the catalog."""
        with self._making:
            if of not in self._streams:
                self._streams[of] = self._make(of)
            found: S = self._streams[of]
            return found

    @cached_property
    def prefetcher(self) -> Prefetcher:
        """Reads what comes next while the streams write."""
        of_all = self.setting("concurrency") * max(len(self.grants), 1)
        return Prefetcher(
            self.stop,
            requests=min(self._max_requests, of_all),
            concurrency=self.setting("concurrency"),
        )

    @cached_property
    def parents(self) -> SingleFlight[tuple[str, int, tuple[str, ...]], list[tuple[Any, ...]]]:
        """Columns of parent listings, by stream, agreement and columns: read once in a run."""
        return SingleFlight(self.prefetcher)

    @cached_property
    def transport(self) -> Transport:
        """The one HTTP session with e-conomic."""
        return Transport(
            self.prefetcher,
            requests=self._max_requests,
            timeout=float(self.setting("request_timeout")),
            user_agent=self.setting("user_agent") or self._user_agent,
            ca_bundle=self.setting("ca_bundle"),
        )

    @property
    def _max_requests(self) -> int:
        """Requests of all agreements that may be in flight."""
        return int(self.setting("concurrency") * self.setting("parallel_agreements"))

    @cached_property
    def agreements(self) -> Agreements:
        """The agreements to read; the first access requests `/self` with each grant.

        Raises:
            ConfigError: the settings cannot work, or no grant is usable.
        """
        _ = self.companies_before  # before this run adds its own
        for name, usual in (("rest_url", REST_URL), ("openapi_url", OPENAPI_URL)):
            if self.setting(name) != usual:
                logger.info(
                    "Using %s %s instead of e-conomic's own address", name, self.setting(name)
                )
        agreements = read_agreements(self.identify(self.grants))
        if self.event_plan:
            usable = (one for one in agreements if self.event_plan.includes(one.number))
            agreements = replace(agreements, usable=tuple(usable))
        self.report.agreements = agreements.usable
        for grant, error in agreements.failures.items():
            self._refuse(grant, grant.where, error)
        for agreement in agreements:  # later runs have to know whose rows the tables have
            self._company_state(agreement)
        return agreements

    def identify(self, grants: Iterable[Grant]) -> Iterator[tuple[Grant, Callable[[], Agreement]]]:
        """Yield each grant with a function that returns the agreement it opens, or raises why."""
        return self.prefetcher.outcomes(self.agreement_of, grants, at_once=self._max_requests)

    def agreement_of(self, grant: Grant) -> Agreement:
        """Return the agreement that a grant opens; requests `/self` unless its number is known."""
        origins = [origin_of(self.setting(name)) for name in ("rest_url", "openapi_url")]
        http = HttpClient(
            self.transport,
            EconomicAuthenticator(self.config["app_secret_token"], grant.token, origins),
            RateLimit(float(self.setting("rate_limit_share"))),
            requests=self.setting("concurrency"),
            max_wait=float(self.setting("max_wait_minutes")) * 60,
        )
        if number := self.known.get(grant.token):
            agreement = Agreement(number, grant, grant.name, http, None)
            http.whose = str(agreement)
            return agreement
        return self.look_up(grant, http)

    def look_up(self, grant: Grant, http: HttpClient) -> Agreement:
        """Return the agreement that `/self` shows for a grant.

        Raises:
            EconomicError: it is another one than the agreements file says, or not shown.
        """
        return identified(grant, http, self._read_self(http))

    def refuse(self, agreement: Agreement, error: GrantRefusedError) -> None:
        """Record that an agreement's grant was rejected: this run sends no more requests for it."""
        agreement.refused = True
        agreement.failed["/self"] = str(error)
        logger.error("%s: %s", agreement, error)
        self._refuse(agreement.grant, str(agreement), error)

    def _refuse(self, grant: Grant, whose: str, error: EconomicError) -> None:
        if isinstance(error, GrantRefusedError):
            self._refused[self.digest(grant)] = f"{whose}: {error}"
        else:
            self.report.refuse(f"{whose}: {error}")

    def digest(self, grant: Grant) -> str:
        """Return what a grant is known by in the state."""
        return grant.digest(self.config["app_secret_token"])

    def judge_grants(self) -> None:
        """Decide whether rejected grants fail the run, and remember them in the state."""
        remembered = self._state.setdefault("bookmarks", {}).setdefault("agreements", {})
        found = remembered.pop(REFUSED, None)
        listed = found if isinstance(found, list) else []
        before = {digest for digest in listed if isinstance(digest, str)}
        new = self._refused.keys() - before
        # An event run uses few of the grants. What it finds is new to the next run that uses all.
        if still := before if self.event_plan else self._refused.keys():
            remembered[REFUSED] = sorted(still)
        all_of_them = len(self._refused) == self._configured
        too_many = all_of_them or len(new) * 10 > self._configured
        fails = self.setting("refused_grants") == "fail" or too_many
        for line in self._refused.values():
            self.report.refuse(line, fails=fails)

    # Companies, in the state of the stream `agreements`

    @cached_property
    def companies_before(self) -> dict[int, set[str]]:
        """The agreements that earlier runs have read, and the streams that had rows of each."""
        return {
            number: {name for name, count in state.get(FULL_READ_ROWS, {}).items() if count}
            for number, state in self._companies()
        }

    def rows_before(self, agreement: Agreement) -> dict[str, int]:
        """Return how many rows each stream of a company had when all of them were last read."""
        found: dict[str, int] = self._company_state(agreement).setdefault(FULL_READ_ROWS, {})
        return found

    def event_states(self) -> dict[int, Any]:
        """Return what the state has of the events of each agreement."""
        return {number: state[EVENTS] for number, state in self._companies() if EVENTS in state}

    def keep_events(self, agreement: Agreement, state: dict[str, Any]) -> None:
        """Put into the state which events of an agreement were read."""
        self._company_state(agreement)[EVENTS] = state

    def last_run(self, agreement: Agreement, run: str) -> str | None:
        """Put a run's ID into the state of an agreement, and return the one it replaces."""
        state = self._company_state(agreement)
        before, state[LAST_RUN] = state.get(LAST_RUN), run
        return before if isinstance(before, str) else None

    def forget_digests(self, is_written: Callable[[int, str], bool]) -> None:
        """Remove digests from the state, before rows of those agreements and streams are written.

        Afterwards they may differ from what the target has: see `unchanged`.
        """
        found = [
            (state[DIGESTS], name)
            for number, state in self._companies()
            for name in state.get(DIGESTS, {})
            if is_written(number, name)
        ]
        for digests, name in found:
            del digests[name]
        if found:
            self.write_state_now()

    def skip_unchanged(self) -> None:
        """Send no rows that the target has already."""
        from tap_visma_economic.unchanged import Unchanged  # noqa: PLC0415  off by default

        days = self.setting("resend_days")
        self.unchanged = Unchanged(self._companies(), self.writer, self.write_state_now, days)

    def write_state_now(self) -> None:
        """Write a STATE that has to precede what is written next."""
        self.state_writer.write_state(self._state)
        self.state_writer.finish()

    def _companies(self) -> Iterator[tuple[int, dict[str, Any]]]:
        """Yield the number and the partition of each company in the state."""
        stream = self._state.get("bookmarks", {}).get("agreements", {})
        for partition in stream.get("partitions", []):
            yield partition.get("context", {}).get("agreementNumber", 0), partition

    def _company_state(self, agreement: Agreement) -> dict[str, Any]:
        return get_writeable_state_dict(self._state, "agreements", agreement.context)

    def finish(self) -> None:
        """Write the last STATE, and everything buffered before it."""
        self.state_writer.finish()
        self.writer.flush()
