"""Runs killed at random moments: what the next runs add up to is the truth, and no state lies."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.conftest import TapRunner, clean_environment, exact, settings_for
from tests.sandbox import Grant, Sandbox
from tests.sandbox.company import build_company

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow

STREAMS = {
    "booked_entries": ("bookedEntriesapi:/booked-entries", ("entryNumber",)),
    "booked_entry_dimensions": (
        "dimensionsapi:/dimension-data/booked-entries",
        ("entryNumber", "dimensionNumber"),
    ),
    "customer_contacts": ("customersapi:/Contacts", ("number",)),
    "customers": ("rest:/customers", ("customerNumber",)),
    "invoices_booked": ("rest:/invoices/booked", ("bookedInvoiceNumber",)),
    "invoices_booked_lines": ("q2capi:/invoices/booked/lines", ("documentId", "number")),
    "products": ("rest:/products", ("productNumber",)),
}
CODES = {signal.SIGKILL: {-9}, signal.SIGTERM: {-15, 143}, signal.SIGINT: {-2, 130}}
"""Exit codes; a negative one is the signal's own, when the tap is still starting."""


class Killed:
    """Runs of one warehouse, most of them cut."""

    def __init__(self, folder: Path, sandbox: Sandbox, seed: int) -> None:
        self.tap = TapRunner(folder)
        self.sandbox = sandbox
        self.random = random.Random(seed)
        self.rows: dict[str, dict[tuple[Any, ...], dict[str, Any]]] = {s: {} for s in STREAMS}
        self.state: dict[str, Any] | None = None

    def run(self, *, cut: bool) -> None:
        config = settings_for(self.sandbox, "demo")
        catalog = self.tap.catalog_of(*STREAMS)
        command = self.tap.arguments(config, catalog=catalog, state=self.state)
        out = self.tap.folder / "out.jsonl"
        with out.open("wb") as stdout, (self.tap.folder / "err.txt").open("wb") as stderr:
            process = subprocess.Popen(
                command, stdout=stdout, stderr=stderr, env=clean_environment()
            )
            if cut:
                time.sleep(self.random.uniform(0.9, 3.2))
                number = self.random.choice(list(CODES))
                asked = time.monotonic()
                process.send_signal(number)
                code = process.wait(timeout=30)
                if code != 0:  # it may have been done already
                    assert code in CODES[number], (self.tap.folder / "err.txt").read_text()
                    assert time.monotonic() - asked < 2
            else:
                assert process.wait(timeout=120) == 0, (self.tap.folder / "err.txt").read_text()
        self.take(out.read_bytes())

    def take(self, output: bytes) -> None:
        assert output == b"" or output.endswith(b"\n"), "a line was cut"
        for line in output.splitlines():
            message = json.loads(line, parse_float=exact)
            if message["type"] == "STATE":
                self.state = message["value"]
            elif message["type"] == "RECORD":
                record, (_, keys) = message["record"], STREAMS[message["stream"]]
                self.rows[message["stream"]][tuple(record[key] for key in keys)] = record


@pytest.mark.parametrize("seed", range(10))
def test_after_five_kills_and_a_whole_run_the_union_is_the_truth(tmp_path: Path, seed: int) -> None:
    company = build_company(1234567, "Afbrudt ApS", seed=seed, entries=9_000)
    with Sandbox({"demo": Grant(company)}, latency=0.08) as sandbox:
        runs = Killed(tmp_path, sandbox, seed)
        for number in range(5):
            runs.run(cut=True)
            if number == 2:  # from here on it is an incremental run that is cut
                runs.run(cut=False)
                open_invoice: Any = company.rows("rest:/invoices/unpaid")[0]
                company.pay(open_invoice["bookedInvoiceNumber"])
        runs.run(cut=False)
        runs.run(cut=False)
    for stream, (endpoint, keys) in STREAMS.items():
        truth: dict[tuple[Any, ...], Any] = {
            tuple(row[key] for key in keys): row for row in company.rows(endpoint)
        }
        assert set(runs.rows[stream]) == set(truth)
        for key, record in runs.rows[stream].items():
            for name in ("remainder", "amount", "totalNetAmount"):
                if name in record:
                    assert record[name] == truth[key].get(name)
