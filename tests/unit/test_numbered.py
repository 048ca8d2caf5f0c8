"""After every run the warehouse equals the books, whatever happens to rows, numbers and runs.

A model of a listing (rows by number, some numbers standing on several rows) is read by the real
readings, page by page, while rows are booked, settled, edited and runs are cut; a warehouse takes
what they yield. Two runs after the last change nothing may be missing or old.
"""

from __future__ import annotations

import copy
import re
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tap_visma_economic import numbered
from tap_visma_economic.kinds import OpenRows
from tap_visma_economic.numbered import (
    ChangingNumberReading,
    NumberReading,
    OpenNumberReading,
)
from tap_visma_economic.pages import Page

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import pendulum

Row = dict[str, Any]
State = dict[str, Any]

PAGE = 3
OPEN = OpenRows(filter="remainder$ne:0")


@pytest.fixture(autouse=True)
def _small_overlap(monkeypatch: pytest.MonkeyPatch) -> None:
    """An overlap that covers a whole model would hide what it is to show."""
    monkeypatch.setattr(numbered, "OVERLAP", 2)


class Cut(Exception):  # noqa: N818
    """The run is killed."""


class Books:
    """A listing as e-conomic serves it, sorted, in pages, live."""

    def __init__(self) -> None:
        self.rows: dict[tuple[int, int], Row] = {}
        self.log: list[tuple[int, int]] = []
        self.now = 0
        self.asked: list[str | None] = []
        self.between: Callable[[], None] = lambda: None

    def put(self, number: int, part: int = 0, remainder: int = 0) -> None:
        self.now += 1
        self.log.append((self.now, number))
        self.rows[number, part] = {
            "number": number, "part": part, "remainder": remainder, "version": self.now,
        }  # fmt: skip

    def matching(self, bound: str | None) -> list[Row]:
        tests = [_parse(part) for part in bound.split("$and:")] if bound else []
        rows = (self.rows[key] for key in sorted(self.rows))
        return [row for row in rows if all(test(row) for test in tests)]

    # what a reading asks

    def pages(self, bound: str | None) -> Iterator[tuple[Row, Page]]:
        self.asked.append(bound)
        end = (0, -1)
        while True:
            left = [r for r in self.matching(bound) if (r["number"], r["part"]) > end]
            yield {}, Page(copy.deepcopy(left[:PAGE]), more=len(left) > PAGE)
            self.between()
            if len(left) <= PAGE:
                return
            end = (left[PAGE - 1]["number"], left[PAGE - 1]["part"])

    def open_pages(self, bound: str | None) -> Iterator[tuple[Row, Page]]:
        return self.pages(bound)

    def count(self, bound: str) -> int:
        return len(self.matching(bound))

    def changed(self, since: str | None) -> Iterator[int]:
        return iter([number for at, number in self.log if since is None or at >= int(since)])


def _parse(part: str) -> Callable[[Row], bool]:
    found = re.fullmatch(r"(\w+)\$(\w+):(.*)", part)
    assert found, part
    name, operator, text = found.groups()
    if operator == "in":
        wanted = {int(value) for value in text.strip("[]").split(",")}
        assert len(wanted) <= 200
        return lambda row: row[name] in wanted
    value = int(text)
    compare: dict[str, Callable[[int], bool]] = {
        "gte": lambda n: n >= value,
        "gt": lambda n: n > value,
        "lte": lambda n: n <= value,
        "lt": lambda n: n < value,
        "ne": lambda n: n != value,
    }
    return lambda row: compare[operator](row[name])


class Warehouse:
    """Takes what runs yield, and keeps the state of the last page written."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.rows: dict[tuple[int, int], Row] = {}
        self.state: State = {}

    def reading(self, books: Books, state: State) -> NumberReading:
        single = self.kind != "changes"
        if self.kind == "open":
            return OpenNumberReading(
                books, state, "number", single=single, ascending=True, open_rows=OPEN
            )
        if self.kind == "changes":
            return ModelChanges(books, state, "number", single=single, ascending=True)
        return NumberReading(books, state, "number", single=single, ascending=True)

    def run(self, books: Books, cut_after: int | None = None) -> None:
        """One run, killed after so many pages."""
        state = copy.deepcopy(self.state)
        reading = self.reading(books, state)
        try:
            for pages, (_, page) in enumerate(reading.pages()):
                if pages == cut_after:
                    return
                for row in page.rows:
                    self.rows[row["number"], row["part"]] = row
                reading.saw(page.rows, None)
                self.state = copy.deepcopy(state)
        finally:
            pass
        reading.finish()
        self.state = copy.deepcopy(state)


class ModelChanges(ChangingNumberReading):
    """The changelog of the model counts changes instead of telling the time."""

    def __init__(self, source: Any, state: State, key: str, **kwargs: Any) -> None:
        super().__init__(
            source, state, key, lookback_minutes=0, literal=lambda at: str(at), **kwargs
        )
        self._books = source
        self._changes_since = state.get("changes_since")  # type: ignore[assignment]

    def saw(self, rows: Any, clock: pendulum.DateTime | None) -> None:
        began = self._began or self._books.now  # what is changed from now on is read next time
        super().saw(rows, clock)
        self._began = began

    def finish(self) -> None:
        NumberReading.finish(self)
        self._state["changes_since"] = self._began


