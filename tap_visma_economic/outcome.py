"""What became of a run: what was left out and why, what failed, and the exit code."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection

    from tap_visma_economic.agreement import Agreement
    from tap_visma_economic.errors import AccessDeniedError, EconomicError


class Report:
    """Notes what did not go as planned while the rest of a run goes on."""

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
        """A stream has been read."""
        self._rows[stream] = rows

    def keep(self, stream: str, reason: str) -> None:
        """Rows that are gone from e-conomic stay in a stream's table for now."""
        self._kept[reason].append(stream)

    def skip(self, stream: str, agreement: Agreement, error: AccessDeniedError) -> None:
        """A grant may not read a stream: that is left out, and the run is still a success."""
        self._skipped[str(agreement), error.reason(error.gist)].append(stream)
        self.deny(stream, agreement)

    def deny(self, stream: str, agreement: Agreement) -> None:
        """A grant may not read a stream."""
        self._denied[str(agreement)].append(stream)

    def allow(self, agreement: Agreement) -> None:
        """A grant may read a stream that tells more than `/self`."""
        self._not_denied.add(str(agreement))

    def vanish(self, stream: str, agreement: Agreement) -> None:
        """What a listing belongs to was deleted before the listing could be read."""
        self._vanished[stream, str(agreement)] += 1

    def fail(self, stream: str, agreement: Agreement, error: EconomicError) -> None:
        """A stream of one agreement could not be read to its end."""
        self._failed.append(f"{stream}, {agreement}: {error}")
        self._not_denied.add(str(agreement))

    def refuse(self, line: str) -> None:
        """A grant was refused: nothing more of that agreement is read in this run."""
        self._refused.append(line)

    def conclude(self, paid: Collection[str]) -> None:
        """All streams have been asked for: an agreement that was denied all of them is not read.

        Args:
            paid: streams of paid modules. A company may well lack those that were asked for.
        """
        for agreement, streams in self._denied.items():
            if agreement not in self._not_denied and not set(streams) <= set(paid):
                self.refuse(
                    f"{agreement}: nothing but /self may be read: e-conomic denied all "
                    f"{len(streams)} streams that were asked for. Check the app's role and the "
                    "rights of the user who added the app; or take the company out of the settings"
                )

    @property
    def exit_code(self) -> int:
        """0 if all that may be read was read, 1 otherwise."""
        return 1 if self._failed or self._refused else 0

    def summary(self) -> tuple[list[str], list[str]]:
        """Return what was left out, a line per agreement and reason, and what failed."""
        skipped = [
            f"Skipped for {agreement}: {', '.join(streams)}: {reason}"
            for (agreement, reason), streams in self._skipped.items()
        ]
        skipped += [
            f"No deleted rows are taken out of {', '.join(streams)}: {reason}"
            for reason, streams in self._kept.items()
        ]
        skipped += [
            f"Skipped for {agreement}: {stream}: {count} of its listings: what they belong to was "
            "deleted in e-conomic while this run was reading (404)"
            for (stream, agreement), count in self._vanished.items()
        ]
        failed = [f"Not read: {line}" for line in self._refused]
        failed += [f"Failed: {line}" for line in self._failed]
        return skipped, failed

    def totals(self) -> tuple[int, int]:
        """Return how many streams and rows were read."""
        return len(self._rows), sum(self._rows.values())
