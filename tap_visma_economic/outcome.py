"""The outcome of a run: what was skipped and why, what failed, and the exit code."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING

from tap_visma_economic.errors import counted

if TYPE_CHECKING:
    from collections.abc import Collection

    from tap_visma_economic.agreement import Agreement
    from tap_visma_economic.errors import AccessDeniedError, EconomicError


class Report:
    """Collects what went wrong while the rest of a run continues."""

    def __init__(self) -> None:
        self._skipped: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
        self._denied: defaultdict[str, list[str]] = defaultdict(list)
        self._not_denied: set[str] = set()
        self._failed: list[str] = []
        self._refused: list[str] = []
        self._kept: defaultdict[str, list[str]] = defaultdict(list)
        self._vanished: Counter[tuple[str, str]] = Counter()
        self._rows: dict[str, int] = {}

    def read(self, stream: str, rows: int) -> None:
        """Record that a stream was read."""
        self._rows[stream] = rows

    def keep(self, stream: str, reason: str) -> None:
        """Record that deletions in e-conomic are not yet propagated to a stream's table."""
        self._kept[reason].append(stream)

    def skip(self, stream: str, agreement: Agreement, error: AccessDeniedError) -> None:
        """Record that a stream was skipped because access was denied; the run still succeeds."""
        self._skipped[str(agreement), error.reason(error.gist)].append(stream)
        self.deny(stream, agreement)

    def deny(self, stream: str, agreement: Agreement) -> None:
        """Record that a grant cannot read a stream."""
        self._denied[str(agreement)].append(stream)

    def allow(self, agreement: Agreement) -> None:
        """Record that a grant can read a stream beyond `/self`."""
        self._not_denied.add(str(agreement))

    def vanish(self, stream: str, agreement: Agreement) -> None:
        """Record that the parent of a listing was deleted before the listing could be read."""
        self._vanished[stream, str(agreement)] += 1

    def fail(self, stream: str, agreement: Agreement, error: EconomicError) -> None:
        """Record that a stream of one agreement could not be read completely."""
        self._failed.append(f"{stream}, {agreement}: {error}")
        self._not_denied.add(str(agreement))

    def refuse(self, line: str) -> None:
        """Record that a grant was rejected: this run reads nothing more of that agreement."""
        self._refused.append(line)

    def conclude(self, paid: Collection[str]) -> None:
        """Fail the agreements whose every requested stream was denied.

        Args:
            paid: streams of paid modules, which a company may legitimately lack.
        """
        for agreement, streams in self._denied.items():
            if agreement not in self._not_denied and not set(streams) <= set(paid):
                self.refuse(
                    f"{agreement}: only /self is readable; e-conomic denied access to all "
                    f"{counted(len(streams), 'selected stream')}. Check the app's role and the "
                    "rights of the user who added the app, or remove the company from the settings"
                )

    @property
    def exit_code(self) -> int:
        """0 if everything the grants can read was read, 1 otherwise."""
        return 1 if self._failed or self._refused else 0

    def summary(self) -> tuple[list[str], list[str]]:
        """Return what was skipped, one line per agreement and reason, and what failed."""
        skipped = [
            f"Skipped for {agreement}: {', '.join(streams)}: {reason}"
            for (agreement, reason), streams in self._skipped.items()
        ]
        skipped += [
            f"Deletions not propagated for {', '.join(streams)}: {reason}"
            for reason, streams in self._kept.items()
        ]
        skipped += [
            f"Skipped for {agreement}: {counted(count, 'listing')} of {stream}, because the parent "
            "was deleted in e-conomic during the run (404)"
            for (stream, agreement), count in self._vanished.items()
        ]
        failed = [f"Not read: {line}" for line in self._refused]
        failed += [f"Failed: {line}" for line in self._failed]
        return skipped, failed

    def totals(self) -> tuple[int, int]:
        """Return how many streams and rows were read."""
        return len(self._rows), sum(self._rows.values())
