"""The report of a run: what was read, what it cost, what was skipped or failed; the exit code."""

from __future__ import annotations

import logging
import threading
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import astuple, dataclass

from tap_visma_economic.agreement import Agreement
from tap_visma_economic.errors import AccessDeniedError, EconomicError, counted

logger = logging.getLogger("tap-visma-economic")


@dataclass
class Usage:
    """What one stream has cost.

    Args:
        rows: rows written.
        calls: responses received, those to retries included.
        tokens: tokens they took from rate limits.
        seconds: time the run spent on it, without what was read ahead meanwhile.
    """

    rows: int = 0
    calls: int = 0
    tokens: int = 0
    seconds: float = 0.0


class Report:
    """Collects the results of the streams while the rest of a run continues."""

    def __init__(self) -> None:
        self.agreements: Sequence[Agreement] = ()  # until the run has requested them
        self._usage: defaultdict[str, Usage] = defaultdict(Usage)
        self._lock = threading.Lock()
        self._read: set[str] = set()
        self._skipped: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
        self._vanished: Counter[tuple[str, str]] = Counter()
        self._kept: defaultdict[str, list[str]] = defaultdict(list)
        self._denied: defaultdict[Agreement, list[str]] = defaultdict(list)
        self._readable: set[Agreement] = set()
        self._failures: list[str] = []
        self._refused: list[str] = []

    def called(self, stream: str, tokens: int) -> None:
        """Record a response and its cost. May run in any thread."""
        with self._lock:
            usage = self._usage[stream]
            usage.calls += 1
            usage.tokens += tokens

    def read(self, stream: str, rows: int, seconds: float) -> None:
        """Record that a stream was read and written."""
        self._read.add(stream)
        with self._lock:
            usage = self._usage[stream]
            usage.rows += rows
            usage.seconds += seconds

    def keep(self, stream: str, reason: str) -> None:
        """Record that a stream's table keeps rows that were deleted in e-conomic."""
        self._kept[reason].append(stream)

    def skip(self, stream: str, agreement: Agreement, error: AccessDeniedError) -> None:
        """Record that a stream was skipped because access was denied; the run still succeeds."""
        reason = agreement.skipped[stream] = error.reason(error.gist)
        self._skipped[str(agreement), reason].append(stream)
        self.deny(stream, agreement)

    def deny(self, stream: str, agreement: Agreement) -> None:
        """Record that a grant cannot read a stream."""
        self._denied[agreement].append(stream)

    def allow(self, agreement: Agreement) -> None:
        """Record that a grant can read a stream beyond `/self`."""
        self._readable.add(agreement)

    def vanish(self, stream: str, agreement: Agreement) -> None:
        """Record that the parent of a listing was deleted before the listing could be read."""
        self._vanished[stream, str(agreement)] += 1

    def fail(self, stream: str, agreement: Agreement, error: EconomicError) -> None:
        """Record that a stream of one agreement could not be read completely."""
        agreement.failed[stream] = str(error)
        self._failures.append(f"Failed: {stream}, {agreement}: {error}")
        self.allow(agreement)

    def refuse(self, line: str, *, fails: bool = True) -> None:
        """Record that a grant is unusable: this run reads nothing more of that agreement."""
        (self._failures if fails else self._refused).append(f"Not read: {line}")

    def conclude(self, paid: Collection[str]) -> None:
        """Fail agreements whose every requested stream was denied, not all of paid modules.

        A company may lack those, the streams in `paid`.
        """
        for agreement, streams in self._denied.items():
            if agreement not in self._readable and not set(streams) <= set(paid):
                why = agreement.failed["/self"] = (
                    "only /self is readable; e-conomic denied access to all "
                    f"{counted(len(streams), 'selected stream')}. Check the app's role and the "
                    "rights of the user who added the app, or remove the company from the settings"
                )
                self.refuse(f"{agreement}: {why}")

    def close(self, signum: int | None) -> int:
        """Log the report, its result last, and return the exit code; `signum` stopped the run."""
        if self._read and signum is None:
            usage = logger.getChild("usage")
            usage.info("Usage by stream:\n%s", "\n".join(self._usage_table()))
            for agreement in self.agreements:
                if (waited := agreement.http.waited) >= 1:
                    logger.info(
                        "Waited %.0f s in total for the rate limit of %s", waited, agreement
                    )
        for line in self._warnings():
            logger.warning("%s", line)
        for line in self._failures:
            logger.error("%s", line)
        if signum is not None:
            logger.warning("Stopped by a signal. The next run resumes from the last state")
            return 128 + signum
        if self._failures:
            logger.error("%s", self._incomplete())
            return 1
        if self._read:
            logger.info("%s", self._complete())
        return 0

    def _usage_table(self) -> list[str]:
        with self._lock:
            usage = {name: astuple(one) for name, one in sorted(self._usage.items())}
        usage["total"] = tuple(map(sum, zip(*usage.values(), strict=True)))
        lines = [
            (name, *map(str, counts), f"{seconds:.1f}")
            for name, (*counts, seconds) in usage.items()
        ]
        return aligned([("stream", "rows", "calls", "tokens", "seconds"), *lines], numbers=True)

    def _warnings(self) -> Iterator[str]:
        yield from self._refused
        for (agreement, reason), streams in self._skipped.items():
            yield f"Skipped for {agreement}: {', '.join(streams)}: {reason}"
        for (stream, agreement), count in self._vanished.items():
            yield (
                f"Skipped for {agreement}: {counted(count, 'listing')} of {stream}, because the "
                "parent was deleted in e-conomic during the run (404)"
            )
        for reason, streams in self._kept.items():
            yield (
                f"ACTIVATE_VERSION not sent for {', '.join(streams)}: {reason}. Rows deleted in "
                "e-conomic stay in the target for now"
            )

    def _incomplete(self) -> str:
        line = f"Incomplete: {counted(len(self._failures), 'failure')}, listed above"
        if not self._read:
            return line
        return f"{line}. {self._written()} written. The next run resumes from the last state"

    def _complete(self) -> str:
        line = (
            f"Complete: {self._written()}, {counted(len(self.agreements), 'company', 'companies')}"
        )
        skipped = len({stream for streams in self._skipped.values() for stream in streams})
        kept = sum(map(len, self._kept.values()))
        but = [f"{counted(len(self._refused), 'grant')} rejected"] if self._refused else []
        but += [f"{counted(skipped, 'stream')} skipped"] if skipped else []
        but += [f"ACTIVATE_VERSION not sent for {counted(kept, 'stream')}"] if kept else []
        return f"{line}; {' and '.join(but)}, see above" if but else line

    def _written(self) -> str:
        rows = sum(usage.rows for usage in self._usage.values())
        return f"{counted(rows, 'row')} from {counted(len(self._read), 'stream')}"


def aligned(rows: Sequence[Sequence[str]], *, numbers: bool = False) -> list[str]:
    """Return rows as lines of aligned columns; `numbers` right-aligns all but the first."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    align = str.rjust if numbers else str.ljust
    return [
        "  ".join([row[0].ljust(widths[0]), *map(align, row[1:], widths[1:])]).rstrip()
        for row in rows
    ]
