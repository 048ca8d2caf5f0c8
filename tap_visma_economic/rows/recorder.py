"""From the rows of a page to the records of a stream, on the fast or on the careful way.

Rows that came as objects of C are mended by their `RowForm`. All others, and those of a page on
which anything is off, go through `Projection`. Both give the same records.

Values that no message can carry (see `lenient`) are null in the record, and the row is named in the
log. A row without its key, or whose key is such a value, cannot be told from others. It is refused:
it is not written, and its stream has failed for its company, so that the bookmark stays in front of
it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tap_visma_economic.errors import UnreadableRowError, shown
from tap_visma_economic.rows.typed import FlawedRow, TypedRows

if TYPE_CHECKING:
    import logging
    from collections.abc import Mapping, Sequence

    from tap_visma_economic.rows.drift import Drift
    from tap_visma_economic.rows.forms import RowForm
    from tap_visma_economic.rows.records import Projection, Record
    from tap_visma_economic.rows.typed import Row

_MOST_NAMED = 20
"""Rows of one reading that the log names; the others are counted by `Drift`."""


class Recorder:
    """Makes the records of one stream and agreement, page by page.

    Args:
        project: the careful way.
        form: the fast way, None if records are needed as dictionaries.
        keys: columns that a row cannot be without.
        drift: where values that are left out are counted.
        logger: the stream's.
        agreement: the company, for the log.
    """

    def __init__(
        self,
        project: Projection,
        form: RowForm | None,
        *,
        keys: Sequence[str],
        drift: Drift,
        logger: logging.Logger | logging.LoggerAdapter[logging.Logger],
        agreement: object,
    ) -> None:
        self._project = project
        self._form = form
        self._keys = keys
        self._drift = drift
        self._logger = logger
        self._agreement = agreement
        self._named = 0
        self._refused: list[str] = []

    def records(self, rows: Sequence[Row], stamps: Mapping[str, Any]) -> Sequence[Any]:
        """Return the records of a page: dictionaries, or what msgspec encodes like them."""
        if self._form and isinstance(rows, TypedRows):
            made = self._form.records(rows, stamps)
            if made is not None:
                return made
        made = []
        for row in rows:
            record = self._project(row, stamps)
            if self._accepts(row, record):
                made.append(record)
        return made

    @property
    def complete(self) -> bool:
        """Whether every row has become a record."""
        return not self._refused

    def finish(self) -> None:
        """Raise an error that names the rows which have not become records, if there are any.

        Raises:
            UnreadableRowError: there are.
        """
        if self._refused:
            named = "; ".join([*dict.fromkeys(self._refused)][:_MOST_NAMED])
            raise UnreadableRowError(
                f"{len(self._refused)} rows were not written, for they have no key, or one that no "
                f"message can carry: {named}. All others were. Correct them in e-conomic; the next "
                "run reads them"
            )

    def _accepts(self, row: Row, record: Record) -> bool:
        """Report what was left out of a row, and return whether it can be told from others."""
        flaws = row.flaws if isinstance(row, FlawedRow) else ()
        for flaw in flaws:
            self._drift.unreadable(flaw.path, flaw.why)
        missing = [key for key in self._keys if record.get(key) is None]
        if not (missing or flaws):
            return True
        told = [f"{key} {shown(str(record[key]))}" for key in self._keys if key not in missing]
        if missing:
            told += [f"{shown(flaw.path)} '{shown(flaw.text)}' ({flaw.why})" for flaw in flaws]
            if not flaws:
                told += [f"no {key}" for key in missing]
            self._refused.append(", ".join(told))
            return False
        if self._named < _MOST_NAMED:
            self._logger.warning(
                "Left out for %s, row %s: %s",
                self._agreement,
                ", ".join(told),
                "; ".join(f"{shown(flaw.path)}, {flaw.why}" for flaw in flaws),
            )
        self._named += 1
        return True
