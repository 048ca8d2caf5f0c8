"""A warehouse as users have one: it takes what run after run emits, row over row by primary key."""

from __future__ import annotations

import copy
import datetime as dt
import time
from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tests.expected import VAT_CODES, column_of, differences
from tests.sandbox.grants import Grant
from tests.sandbox.server import Sandbox
from tests.test_discovery import CONTRACT
from tests.test_records_arrive import truth

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conftest import Run, TapRunner
    from tests.sandbox.company import Company

Row = dict[str, Any]

NOT_READ_AGAIN = {
    "entries": {
        "departmentalDistribution",
        "departmentalDistributionNumber",
        "remainder",
        "remainderInBaseCurrency",
    }
}
"""Columns that change after booking in a stream that reads only new rows: booked_entries and
booked_entry_dimensions have them."""


class Target:
    """Tables by primary key, and the state between two runs: what a target keeps.

    ACTIVATE_VERSION deletes the rows of other versions, as hard-deleting targets do.

    Args:
        tap: the command line.
        sandbox: where it reads.
        streams: what is selected.
        settings: further settings of the tap.
    """

    def __init__(self, tap: TapRunner, sandbox: Sandbox, *streams: str, **settings: Any) -> None:
        self.tables: dict[str, dict[tuple[str, ...], Row]] = {stream: {} for stream in streams}
        self.state: Row | None = None
        self._versions: dict[str, dict[tuple[str, ...], int | None]] = defaultdict(dict)
        self._tap = tap
        self._sandbox = sandbox
        self._config = settings

    def run(self, *, code: int | None = 0, **settings: Any) -> Run:
        """Run the tap once, to this exit code, and load what it emits."""
        return self.take(self.read(code=code, **settings))

    def read(self, *, code: int | None = 0, **settings: Any) -> Run:
        """Run the tap once, from the state of the run before."""
        self._await_a_version()
        self._sandbox.log.clear()
        settings = {"state": self.state, **self._config, **settings}
        return self._tap.read(self._sandbox, *self.tables, code=code, **settings)

    def take(self, run: Run) -> Run:
        """Load what a run emitted, as far as it came."""
        for message in run.messages:
            stream = message.get("stream", "")
            if message["type"] == "STATE":
                self.state = message["value"]
            elif message["type"] == "RECORD" and stream in self.tables:
                key = key_of(stream, message["record"])
                self.tables[stream][key] = message["record"]
                self._versions[stream][key] = message.get("version")
            elif message["type"] == "ACTIVATE_VERSION":
                versions = self._versions[stream]
                for key in [key for key in versions if versions[key] != message["version"]]:
                    del versions[key], self.tables[stream][key]
        return run

    def _await_a_version(self) -> None:
        """A version is a second: two runs in the same one could not be told apart."""
        latest = max((v or 0 for rows in self._versions.values() for v in rows.values()), default=0)
        time.sleep(max(0, latest + 1 - time.time()))


class Warehouse(Target):
    """A target's tables of one company, which are compared with the company's rows.

    Args:
        tap: the command line.
        sandbox: where it reads, with the company's grant alone.
        company: the company behind the grant.
        streams: what is selected.
        settings: further settings of the tap.
    """

    def __init__(
        self, tap: TapRunner, sandbox: Sandbox, company: Company, *streams: str, **settings: Any
    ) -> None:
        super().__init__(tap, sandbox, *streams, **settings)
        self._equal: dict[str, dict[tuple[str, ...], tuple[Row, Row]]] = {}
        self._company = company

    def run_and_cut(self, cut: Callable[[list[Row]], int]) -> int:
        """Run the tap, and load its output as if it had been killed after some of its messages.

        Args:
            cut: after how many, of all of them.
        """
        run = self.read()
        count = cut(run.messages)
        self.take(replace(run, messages=run.messages[:count]))
        return count

    def begin_loaded(self, make: Callable[[], Company]) -> Warehouse:
        """Begin with what a first run of an equal company left, which is run only once.

        Args:
            make: makes such a company.
        """
        equal = (make, *self.tables)
        if equal not in _first_runs:
            company = make()
            with Sandbox({"demo": Grant(company)}) as sandbox:
                first = Warehouse(self._tap, sandbox, company, *self.tables)
                first.run()
            assert first.wrong() == []
            _first_runs[equal] = first
        first = _first_runs[equal]
        self.tables = {stream: dict(table) for stream, table in first.tables.items()}
        self.state = first.state
        return self

    def wrong(self) -> list[str]:
        """In what the tables differ from the company's rows as they are now."""
        return [line for stream in self.tables for line in self.wrong_in(stream)]

    def wrong_in(self, stream: str, *, gone: bool = True) -> list[str]:
        """In what a table differs; rows that are gone from the company count, or do not."""
        number = self._company.agreement_number
        rows = [{"agreementNumber": number, **row} for row in truth(self._company, stream)]
        expected = {key_of(stream, row): row for row in rows}
        table, ignored = self.tables[stream], NOT_READ_AGAIN.get(stream, set())
        found = [f"{stream} {key}: missing" for key in expected.keys() - table.keys()]
        if gone:
            found += [f"{stream} {key}: gone" for key in table.keys() - expected.keys()]
        equal = self._equal.setdefault(stream, {})
        for key in expected.keys() & table.keys():
            if equal.get(key) == (table[key], expected[key]):
                continue
            record = {k: v for k, v in table[key].items() if k not in ignored}
            row = {k: v for k, v in expected[key].items() if k not in ignored}
            lines = [f"{stream} {key} {line}" for line in differences(stream, record, row)]
            found += lines
            if not lines:
                equal[key] = table[key], copy.deepcopy(expected[key])
        return found


_first_runs: dict[tuple[Any, ...], Warehouse] = {}
"""Warehouses after a first run, by what makes the company and by the streams."""


def key_of(stream: str, row: Row) -> tuple[str, ...]:
    """The primary key of a record or of the company's row."""
    return tuple(_text(_column(row, name)) for name in CONTRACT[stream]["primary_keys"])


def _column(row: Row, name: str) -> Any:
    """A value of a row, or the one of a reference that becomes a column of this name."""
    if name in row and not isinstance(row[name], dict):
        return row[name].strip() if name in VAT_CODES else row[name]
    references = [(key, value) for key, value in row.items() if isinstance(value, dict)]
    return next(v[k] for key, v in references for k in v if column_of(key, k) == name)


def _text(value: Any) -> str:
    if isinstance(value, dt.datetime):
        return value.astimezone(dt.timezone.utc).isoformat().replace("+00:00", "Z")
    return str(value)
