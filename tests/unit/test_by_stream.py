"""The row counts of companies, in memory and in a STATE."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from tap_visma_economic.by_stream import packed, unpack


def state_of(*partitions: dict[str, Any], **more: Any) -> Any:
    return {"bookmarks": {"agreements": {**more, "partitions": list(partitions)}, "units": {}}}


def test_what_a_state_has_comes_back_as_it_was_even_if_streams_were_added() -> None:
    state = state_of(
        {"context": {"agreementNumber": 1}, "full_read_rows": {"units": 5, "accounts": 0}},
        {"context": {"agreementNumber": 2}, "full_read_rows": {"journals": 1}},
        {"context": {"agreementNumber": 3}, "events": ["inbox", 7]},
        refused=["a digest"],
    )
    before = copy.deepcopy(state)
    written = packed(state)
    assert state == before
    assert written["bookmarks"]["agreements"]["full_read_streams"] == [
        "accounts",
        "journals",
        "units",
    ]
    unpack(written)
    written["bookmarks"]["agreements"]["partitions"][2].pop("full_read_rows", None)
    assert written == before


@pytest.mark.parametrize("counts", [[1, "2", None], [1], {"units": "many"}, 7, None, "text"])
@pytest.mark.parametrize("names", [["units"], "units", None, {}])
def test_counts_that_make_no_sense_are_not_known(counts: Any, names: Any) -> None:
    state = state_of({"full_read_rows": counts}, full_read_streams=names)
    unpack(state)
    (partition,) = state["bookmarks"]["agreements"]["partitions"]
    assert partition["full_read_rows"] in ({}, {"units": 1}, {"u": 1})
    assert "full_read_streams" not in state["bookmarks"]["agreements"]
