"""The row counts in the state of `agreements`, without the name of each stream in each company.

In memory, `full_read_rows` of a company is a dictionary by stream. In a STATE it is a list, in the
order of the one list of names, `full_read_streams`: a twelfth of the size, which counts when there
are hundreds of companies.
"""

from __future__ import annotations

from singer_sdk.helpers.types import TapState

FULL_READ_ROWS = "full_read_rows"
"""Key in a partition of `agreements`: by stream, the row count at the last full read; 1 if not yet
known."""

_STREAMS = "full_read_streams"
"""Key in the state of `agreements`: the streams, in the order of those counts in a STATE."""


def unpack(state: TapState) -> None:
    """Replace lists of counts with dictionaries; what is neither is not known."""
    agreements = state.get("bookmarks", {}).get("agreements", {})
    names = agreements.pop(_STREAMS, [])
    for partition in agreements.get("partitions", []):
        if FULL_READ_ROWS not in partition:
            continue
        counts = partition[FULL_READ_ROWS]
        if isinstance(counts, list) and isinstance(names, list):
            counts = dict(zip(map(str, names), counts, strict=False))
        known = counts.items() if isinstance(counts, dict) else ()
        partition[FULL_READ_ROWS] = {name: n for name, n in known if isinstance(n, int)}


def packed(state: TapState) -> TapState:
    """Return the state with lists of counts; the one in memory stays as it is."""
    bookmarks = state.get("bookmarks", {})
    agreements = bookmarks.get("agreements", {})
    counts = [one.get(FULL_READ_ROWS) or {} for one in agreements.get("partitions", [])]
    if not any(counts):
        return state
    names = sorted(set().union(*counts))
    partitions = [
        {**partition, FULL_READ_ROWS: [by_name.get(name) for name in names]}
        for partition, by_name in zip(agreements["partitions"], counts, strict=True)
    ]
    agreements = {**agreements, _STREAMS: names, "partitions": partitions}
    return {**state, "bookmarks": {**bookmarks, "agreements": agreements}}
