"""Dimensions, their values and distributions, and the data that carries them.

Needs the module Dimension. Dimension 1 is the departments, under the departments' own numbers and
the numbers of the departmental distributions; dimension 2 is campaigns; dimension 3 lies idle. A
booked entry can carry several dimensions; when they are edited afterwards, only the changelog
tells. Its newest line agrees with what the entry carries now.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from decimal import Decimal

from tests.sandbox.books import budgets
from tests.sandbox.books.agreement import DEPARTMENTS, DISTRIBUTIONS
from tests.sandbox.books.chart import ACCOUNTS
from tests.sandbox.books.ledger import Entry
from tests.sandbox.books.rows import Lazy, listing, version
from tests.sandbox.books.sales import Document, Line
from tests.sandbox.books.world import World
from tests.sandbox.values import Row

_DIMENSIONS = ((1, "Afdeling", True), (2, "Kampagne/år", True), (3, "Region (nedlagt)", False))
_CAMPAIGNS = ((201, "Forår 2024", True), (202, "Jul & nytår", True), (203, "Udgået", False))
_CAMPAIGN_SPLIT = (250, "Ligeligt", ((201, 50), (202, 50)))
# A dimension on something: dimension, key, whether the key is a distribution.
Mark = tuple[int, int, bool]


@dataclass(frozen=True)
class Change:
    """One line of the changelog; a key is None where the dimension was added or removed."""

    entry: int
    dimension: int
    before: int | None
    after: int | None
    at: datetime


def is_distribution(dimension: int, key: int) -> bool:
    table = DISTRIBUTIONS if dimension == 1 else (_CAMPAIGN_SPLIT,)
    return any(key == row[0] for row in table)


def mark_entry(entry: Entry, dimension: int, key: int | None) -> int | None:
    """Give an entry another key in a dimension, or none; returns the key it had."""
    had = next((k for d, k, _ in entry.more.dimensions if d == dimension), None)
    marks = [mark for mark in entry.more.dimensions if mark[0] != dimension]
    if key is not None:
        marks.append((dimension, key, is_distribution(dimension, key)))
    entry.more = replace(entry.more, dimensions=tuple(sorted(marks)))
    return had


def write_changes(world: World) -> list[Change]:
    """A past of edits, oldest first: an edit moved a key, added a dimension or removed one.

    Edits are made in batches, so that several carry one timestamp.
    """
    if "Dimension" not in world.modules or world.sparse:
        return []
    entries = world.ledger.entries[::40]
    start = datetime(2026, 1, 5, 9, 30, tzinfo=timezone.utc)
    changes = []
    for index, entry in enumerate(entries):
        at = start + timedelta(minutes=index // 5 * 11, milliseconds=120)
        key = (3, 2, None, 1)[index % 4]
        had = mark_entry(entry, 1, key)
        if had != key:
            changes.append(Change(entry.number, 1, had, key, at))
    return changes


def _mark_row(mark: Mark, names: Iterable[tuple[str, int]]) -> Row:
    dimension, key, distribution = mark
    return {
        **dict(names),
        "dimensionNumber": dimension,
        "dimensionKey": key,
        "isDistribution": distribution,
        "objectVersion": version(mark, names),
    }


@listing("dimensionsapi:/dimensions")
def _dimensions(world: World) -> Iterator[Row]:
    for number, name, active in _DIMENSIONS:
        yield {
            "number": number,
            "name": name,
            "active": active,
            "objectVersion": version(number, name),
        }


@listing("dimensionsapi:/values")
def _values(world: World) -> Iterator[Row]:
    values = [(1, number, name, not barred) for number, (name, barred) in DEPARTMENTS.items()]
    values += [(2, key, name, active) for key, name, active in _CAMPAIGNS]
    for dimension, key, name, active in values:
        yield {
            "dimensionNumber": dimension,
            "key": key,
            "name": name,
            "active": active,
            "objectVersion": version(dimension, key, name),
        }


@listing("dimensionsapi:/distributions")
def _distributions(world: World) -> Iterator[Row]:
    rows = [(1, *row) for row in DISTRIBUTIONS] + [(2, *_CAMPAIGN_SPLIT)]
    for dimension, key, name, parts in rows:
        yield {
            "dimensionNumber": dimension,
            "key": key,
            "name": name,
            "active": True,
            "distributions": [
                {"key": part, "percent": Decimal(percent), "objectVersion": version(key, part)}
                for part, percent in parts
            ],
            "objectVersion": version(dimension, key, name),
        }


@listing("dimensionsapi:/dimension-data/accounts")
def _accounts(world: World) -> Iterator[Row]:
    for account in ACCOUNTS:
        key = account.department or account.distribution
        if key is not None:
            mark = (1, key, is_distribution(1, key))
            yield _mark_row(mark, (("accountNumber", account.number),))


@listing("dimensionsapi:/dimension-data/booked-entries")
def _entries(world: World) -> Lazy[tuple[Entry, Mark]]:
    marks = [(entry, mark) for entry in world.ledger.entries for mark in entry.more.dimensions]
    return Lazy(marks, lambda pair: _mark_row(pair[1], (("entryNumber", pair[0].number),)))


@listing("dimensionsapi:/dimension-data/booked-entries/changelog")
def _changelog(world: World) -> Lazy[Change]:
    return Lazy(world.changes[::-1], _change)


def _change(change: Change) -> Row:
    return {
        "entryNumber": change.entry,
        "dimension": change.dimension,
        "dimensionKeyFrom": change.before,
        "dimensionKeyTo": change.after,
        "timestamp": change.at,
    }


def _line_marks(line: Line) -> list[Mark]:
    if line.department is None:
        return []
    marks = [(1, line.department, False)]
    if line.position == 1:
        marks.append((2, 250, True))
    return marks


@listing("dimensionsapi:/dimension-data/booked-invoice-lines")
def _invoice_lines(world: World) -> Lazy[tuple[Document, Line, Mark]]:
    marks = [
        (invoice, line, mark)
        for invoice in world.invoices
        for line in invoice.lines
        for mark in _line_marks(line)
    ]
    return Lazy(marks, _invoice_line)


def _invoice_line(item: tuple[Document, Line, Mark]) -> Row:
    invoice, line, mark = item
    return _mark_row(mark, (("invoiceNumber", invoice.number), ("lineNumber", line.number)))


@listing("dimensionsapi:/dimension-data/sales-document-lines", derived=True)
def _document_lines(world: World) -> Iterator[Row]:
    documents = [*world.draft_invoices]
    for kind in (world.orders, world.quotes):
        for made in kind.values():
            documents += made
    for document in sorted(documents, key=lambda document: document.id):
        for line in document.lines:
            for mark in _line_marks(line):
                yield _mark_row(
                    mark, (("documentNumber", document.id), ("lineNumber", line.number))
                )


@listing("dimensionsapi:/dimension-data/budget-figures")
def _budget_figures(world: World) -> Iterator[Row]:
    for figure in budgets.figures(world)[::2]:
        yield _mark_row(
            (1, 100, True) if figure.number % 8 == 1 else (1, 2, False),
            (("budgetFigureNumber", figure.number),),
        )


@listing("dimensionsapi:/dimension-data/draft-entries")
def _draft_entries(world: World) -> Iterator[Row]:
    for draft in sorted(world.drafts, key=lambda draft: (draft.journal, draft.number)):
        if draft.department is not None:
            yield _mark_row(
                (1, draft.department, is_distribution(1, draft.department)),
                (("journalNumber", draft.journal), ("entryNumber", draft.number)),
            )
