"""From the rows of a page to the records of a stream, and the reports of flawed rows.

Values that no message can carry (see `lenient`) are null in the record, and the log names the row.
A row without its key is held back, whether that is missing, null or such a value: no target takes
it. Its stream fails for its company, so that the bookmark stays below it.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tap_visma_economic.errors import EconomicError, counted, shown
from tap_visma_economic.records.drift import Drift
from tap_visma_economic.records.row_type import Rows, as_dictionary
from tap_visma_economic.records.selection import Record

_MOST_NAMED = 20
"""Rows of one agreement that the log names; the others are counted by `Drift`."""


class RecordBuilder:
    """Makes the records of one stream and agreement, page by page.

    Args:
        keys: columns that a row cannot be without.
        mapped: whether the SDK changes records on their way out: it needs dictionaries.
    """

    def __init__(
        self,
        *,
        keys: Sequence[str],
        drift: Drift,
        logger: logging.Logger | logging.LoggerAdapter[logging.Logger],
        agreement: object,
        mapped: bool = False,
    ) -> None:
        self._keys = keys
        self._drift = drift
        self._logger = logger
        self._agreement = agreement
        self._mapped = mapped
        self._named = 0
        self._held_back: list[str] = []

    def records(self, rows: Rows, context: Mapping[str, Any]) -> Sequence[Any]:
        """Return the records of a page: dictionaries, or what msgspec encodes like them."""
        records: Sequence[Any] = rows.finalize(context)
        keyless = rows.keyless
        for place in sorted({*keyless, *rows.flaws}):
            record, flaws = as_dictionary(records[place]), rows.flaws.get(place, ())
            for flaw in flaws:
                self._drift.left_out(flaw.path, "not representable in JSON")
            if place in keyless:
                why = [f"{shown(flaw.path)} '{shown(flaw.text)}'" for flaw in flaws]
                why = why or [f"no {name}" for name in keyless[place]]
                self._held_back.append(self._row(record, why))
            else:
                self._name(record, [shown(flaw.path) for flaw in flaws])
        if keyless:
            records = [record for place, record in enumerate(records) if place not in keyless]
        return [as_dictionary(record) for record in records] if self._mapped else records

    @property
    def complete(self) -> bool:
        """Whether every row has become a record."""
        return not self._held_back

    def finish(self) -> None:
        """Raise an error that names the rows which have not become records, if there are any."""
        if self._held_back:
            named = "; ".join([*dict.fromkeys(self._held_back)][:_MOST_NAMED])
            raise EconomicError(
                f"{counted(len(self._held_back), 'row')} not written (the key is missing or not "
                f"representable in JSON): {named}. All others were written. Correct them in "
                "e-conomic; the next run reads them"
            )

    def _name(self, record: Record, paths: Sequence[str]) -> None:
        if self._named < _MOST_NAMED:
            row = self._row(record)
            left_out = ", ".join(paths)
            self._logger.warning("Omitted for %s, row %s: %s", self._agreement, row, left_out)
        self._named += 1

    def _row(self, record: Record, why: Iterable[str] = ()) -> str:
        there = [key for key in self._keys if record.get(key) is not None]
        return ", ".join([*(f"{key} {shown(str(record[key]))}" for key in there), *why])
