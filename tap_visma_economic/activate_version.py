"""Whether a table may be told that everything not of this run is gone (ACTIVATE_VERSION).

Targets know one version per table, not per company. So the word is only given when every company
that the table may hold rows of was read completely in this run; otherwise rows that merely were not
read would be deleted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tap_visma_economic.agreement import Agreement

BEGUN = "full_read_at"
"""Entry of a partition's state: null once a row was written, then when all rows last were."""

ROWS = "full_read_rows"
"""Entry of a partition of `agreements`: by stream, how many rows there were when all were last
read; 1 if that is not known yet."""


class Coverage:
    """What one run has read of one stream, company by company.

    Args:
        partitions: the stream's partitions in the state, as they were before the run.
        companies: agreement numbers that the state of the stream `agreements` tells of.
        unknown: grants of the settings that could not even say which company they are for.

    Attributes:
        partial: a company was only read for what is new, as most runs do.
    """

    def __init__(
        self,
        partitions: Iterable[dict[str, Any]],
        companies: Iterable[int],
        unknown: Iterable[str],
    ) -> None:
        self._known = {_number(partition): _was_read(partition) for partition in partitions}
        for number in companies:
            self._known.setdefault(number, True)
        self._gaps: dict[int, str] = {}
        self._complete: set[int] = set()
        self.partial = False
        self._unknown = list(unknown)

    def read(self, agreement: Agreement, *, whole: bool) -> None:
        """A company was read to the end, from the very beginning or from a bound on."""
        if whole:
            self._complete.add(agreement.number)
        else:
            self.partial = True

    def denied(self, agreement: Agreement) -> bool:
        """Note that a grant may not read the stream, and return whether it may have before.

        If it never could, the table lacks nothing.
        """
        before = self._known.get(agreement.number, False)
        if before:
            self._gaps[agreement.number] = f"{agreement} may not be read any more"
        return before

    def missed(self, agreement: Agreement) -> None:
        """A company could not be read to the end."""
        self._gaps[agreement.number] = f"{agreement} was not read to the end"

    def doubted(self, agreement: Agreement) -> None:
        """A company was read to the end, and yet e-conomic counts more rows than were there."""
        self._gaps[agreement.number] = f"{agreement} may have rows that came while it was read"

    @property
    def gap(self) -> str | None:
        """Which company may have rows in the table that this run missed; None if none has."""
        if self._unknown:
            return f"{self._unknown[0]} could not be read"
        if self._gaps:
            return next(iter(self._gaps.values()))
        left = sorted(n for n, read in self._known.items() if read and n not in self._complete)
        return f"agreement {left[0]} is in the table, but not in the settings" if left else None


def _number(partition: dict[str, Any]) -> int:
    number: int = partition.get("context", {}).get("agreementNumber", 0)
    return number


def _was_read(partition: dict[str, Any]) -> bool:
    return BEGUN in partition or "replication_key_value" in partition
