"""What the fast way writes is what the SDK's own way writes, message for message."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.support import VERSIONS

if TYPE_CHECKING:
    from tests.conftest import Run, TapRunner
    from tests.sandbox.server import Sandbox


def differences(one: dict[str, Any], other: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    """The columns in which two records differ."""
    return {
        column: (one.get(column, "absent"), other.get(column, "absent"))
        for column in {*one, *other}
        if one.get(column, "absent") != other.get(column, "absent")
    }


def is_named(run: Run, stream: str, column: str) -> bool:
    """Whether a schema names a column and, if it is an object, what is in it."""
    described = run.schemas[stream]["schema"]["properties"].get(column, {"properties": {}})
    return bool(described.get("properties", True))


MAPPED: dict[str, Any] = {"stream_maps": {"currencies": {"mapped": "1"}}}
"""A stream map for one stream: the SDK then writes the records of all."""


def lines(run: Run) -> dict[str, list[dict[str, Any]]]:
    for record in run.records["currencies"]:
        record.pop("mapped", None)
    return {stream: rows for stream, rows in run.records.items() if stream != "sync_runs"}


@pytest.mark.parametrize("include_links", [False, True])
def test_the_sdks_way_writes_the_same_records(
    warm_tap: TapRunner, sandbox: Sandbox, include_links: bool
) -> None:
    how: dict[str, Any] = {"grants": ["demo"], "all_streams": True, "include_links": include_links}
    own, sdks = warm_tap.read(sandbox, **how), warm_tap.read(sandbox, **how, **MAPPED)
    fast, careful = lines(own), lines(sdks)
    assert len(fast) > 100
    assert {name: len(rows) for name, rows in fast.items()} == {
        name: len(rows) for name, rows in careful.items()
    }
    for name, rows in fast.items():
        for one, other in zip(rows, careful[name], strict=True):
            found = differences(one, other)
            if include_links:  # the SDK keeps back links that no schema names
                found = {c: v for c, v in found.items() if is_named(own, name, c)}
            assert found == {}, name
    if not include_links:
        assert own.warnings == sdks.warnings == []


def test_a_message_has_the_same_parts_on_both_ways(warm_tap: TapRunner, sandbox: Sandbox) -> None:
    streams = ("booked_entries", "currencies")
    parts = [
        {
            (message["stream"], *sorted(message), message.get("version") is None)
            for message in warm_tap.read(
                sandbox, *streams, grants=["demo"], **VERSIONS, **more
            ).messages
            if message["type"] == "RECORD"
        }
        for more in ({}, MAPPED)
    ]
    assert parts[0] == parts[1]
    assert len(parts[0]) == 2
