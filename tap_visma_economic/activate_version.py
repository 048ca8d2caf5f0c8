"""Whether ACTIVATE_VERSION may be sent, which deletes every row that this run did not write.

Targets keep one version per table, not per company. So it is sent only if this run completely read
every company that may have rows in the table; otherwise the target would delete rows that were not
read. `EconomicStream._coverage` and `_activate_version` use this module.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from tap_visma_economic.agreement import Agreement

FULL_READ_AT = "full_read_at"
"""Key in a partition's state: null from the first row written, then the time of the last full
read."""

_OF_ROWS = {FULL_READ_AT, "replication_key", "replication_key_value"}
"""Keys of a partition's state that it has once rows were written."""


class Coverage:
    """What one run has read of one stream, company by company.

    Args:
        partitions: the stream's partitions in the state, as they were before the run.
        companies: agreement numbers in the state of the stream `agreements`.
        gaps: why the company of a grant is not read, for grants whose company is unknown.
        written: agreement numbers of which earlier runs wrote rows, perhaps not all of them.

    Attributes:
        partial: some company was read incrementally, as in most runs.
    """

    def __init__(
        self,
        partitions: Iterable[dict[str, Any]],
        companies: Iterable[int],
        gaps: Iterable[str],
        written: Collection[int] = (),
    ) -> None:
        self._had_rows = dict.fromkeys(companies, True)
        for state in partitions:
            number = state.get("context", {}).get("agreementNumber", 0)
            # Another start date removes the value of the bookmark, and leaves its key.
            self._had_rows[number] = number in written or not state.keys().isdisjoint(_OF_ROWS)
        self._gaps = [*gaps]
        self._complete: set[int] = set()
        self.partial = False

    def read(self, agreement: Agreement, *, whole: bool) -> None:
        """Record that a company was read, either completely or from a bookmark on."""
        if whole:
            self._complete.add(agreement.number)
        else:
            self.partial = True

    def denied(self, agreement: Agreement) -> bool:
        """Record that a grant cannot read the stream, and return whether it ever could."""
        before = self._had_rows.get(agreement.number, False)
        if before:
            self._gaps.append(f"{agreement} is no longer readable with this grant")
        return before

    def missed(self, agreement: Agreement) -> None:
        """Record that a company was only partly read."""
        self._gaps.append(f"{agreement} was only partly read")

    def doubted(self, agreement: Agreement) -> None:
        """Record that e-conomic counts more rows of a company than a complete read returned."""
        self._gaps.append(f"{agreement} may have gained rows during the run")

    @property
    def gap(self) -> str | None:
        """Why the table may have rows that this run did not read, if it may."""
        left = sorted(n for n, had in self._had_rows.items() if had and n not in self._complete)
        gaps = [*self._gaps]
        gaps += [f"the table holds agreement {n}, which is not in the settings" for n in left]
        return gaps[0] if gaps else None
