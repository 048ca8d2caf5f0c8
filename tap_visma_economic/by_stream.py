"""What the state of `agreements` has by stream, without the name of each stream in each company.

In memory, `full_read_rows` and `digests` of a company are dictionaries by stream. In a STATE they
are lists, in the order of the one list of names, `full_read_streams`: a twelfth of the size, which
counts when there are hundreds of companies.
"""

from __future__ import annotations

from singer_sdk.helpers.types import TapState

FULL_READ_ROWS = "full_read_rows"
"""Key in a partition of `agreements`: by stream, the row count at the last full read; 1 if not yet
known."""

DIGESTS = "digests"
"""Key in a partition of `agreements`: by stream, what the target has of it, see `unchanged`."""

_TYPES = {FULL_READ_ROWS: int, DIGESTS: str}

_STREAMS = "full_read_streams"
"""Key in the state of `agreements`: the streams, in the order of those lists in a STATE."""


def unpack(state: TapState) -> None:
    """Replace the lists with dictionaries; what is neither is not known."""
    agreements = state.get("bookmarks", {}).get("agreements", {})
    names = agreements.pop(_STREAMS, [])
    for partition in agreements.get("partitions", []):
        for key in _TYPES.keys() & partition.keys():
            values = partition[key]
            if isinstance(values, list) and isinstance(names, list):
                values = dict(zip(map(str, names), values, strict=False))
            known = values.items() if isinstance(values, dict) else ()
            partition[key] = {name: one for name, one in known if isinstance(one, _TYPES[key])}


def packed(state: TapState) -> TapState:
    """Return the state with lists; the one in memory stays as it is."""
    bookmarks = state.get("bookmarks", {})
    agreements = bookmarks.get("agreements", {})
    found = [
        {key: partition[key] for key in _TYPES if partition.get(key)}
        for partition in agreements.get("partitions", [])
    ]
    names = sorted({name for one in found for by_name in one.values() for name in by_name})
    if not names:
        return state
    partitions = [
        {**partition, **{key: [one[key].get(name) for name in names] for key in one}}
        for partition, one in zip(agreements["partitions"], found, strict=True)
    ]
    agreements = {**agreements, _STREAMS: names, "partitions": partitions}
    return {**state, "bookmarks": {**bookmarks, "agreements": agreements}}
