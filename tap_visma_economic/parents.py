"""What the streams below a parent share: the keys of its rows, read once in a run.

A single-flight cache: the first stream to need the keys of a listing reads it, and the others wait
for that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tap_visma_economic.prefetch import SingleFlight

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tap_visma_economic.agreement import Agreement
    from tap_visma_economic.prefetch import Prefetcher

Keys = list[tuple[Any, ...]]


class ParentKeys:
    """Columns of parent listings, by stream and agreement.

    Args:
        prefetcher: reads them.
    """

    def __init__(self, prefetcher: Prefetcher) -> None:
        self._known: SingleFlight[tuple[str, int, tuple[str, ...]], Keys] = SingleFlight(prefetcher)

    def get(
        self,
        parent: str,
        agreement: Agreement,
        columns: tuple[str, ...],
        read: Callable[[], Iterable[tuple[Any, ...]]],
    ) -> Keys:
        """Return these columns of every row of a stream. May run in any thread."""
        return self._known.get((parent, agreement.number, columns), lambda: list(read()))

    def forget(self, parent: str, agreement: Agreement) -> None:
        """Have a listing read again when it is next needed: it may have changed."""
        self._known.forget(lambda known: known[:2] == (parent, agreement.number))
