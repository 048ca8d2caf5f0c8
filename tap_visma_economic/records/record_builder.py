"""From the rows of a page to the records of a stream.

A row without its key is held back, whether that is missing, null or unreadable (see `lenient`): no
target takes it. Its stream fails for its company, so that the bookmark stays below it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tap_visma_economic.errors import EconomicError, counted, shown
from tap_visma_economic.records.row_type import Rows, as_dictionary

_MOST_NAMED = 20
"""Rows that an error names."""


class RecordBuilder:
    """Makes the records of one stream and agreement, page by page.

    Args:
        keys: columns that a row cannot be without.
        mapped: whether the SDK changes records on their way out: it needs dictionaries.
    """

    def __init__(self, keys: Sequence[str], *, mapped: bool = False) -> None:
        self._keys = keys
        self._mapped = mapped
        self._held_back: list[str] = []

    def records(self, rows: Rows, context: Mapping[str, Any]) -> Sequence[Any]:
        """Return the records of a page: dictionaries, or what msgspec encodes like them."""
        records: Sequence[Any] = rows.finalize(context)
        if keyless := rows.keyless:
            self._held_back += [self._named(records[p], names) for p, names in keyless.items()]
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

    def _named(self, record: Any, missing: Iterable[str]) -> str:
        row = as_dictionary(record)
        there = [key for key in self._keys if row.get(key) is not None]
        keys = [f"{key} {shown(str(row[key]))}" for key in there]
        return ", ".join([*keys, *(f"no {key}" for key in missing)])
