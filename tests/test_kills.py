"""Runs killed at random moments: what the next runs add up to is the truth, and no state lies."""

from __future__ import annotations

import random
import signal
import subprocess
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.conftest import TapRunner
from tests.sandbox import Grant, Sandbox
from tests.sandbox.company import build_company
from tests.warehouse import Warehouse

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow

STREAMS = (
    "booked_entries",
    "booked_entry_dimensions",
    "customer_contacts",
    "customers",
    "invoices_booked",
    "invoices_booked_lines",
    "products",
)
CODES = {signal.SIGKILL: {-9}, signal.SIGTERM: {-15, 143}, signal.SIGINT: {-2, 130}}
"""Exit codes; a negative one is the signal's own, when the tap is still starting."""


class Killer(TapRunner):
    """Runs the tap, and if it `kills`, sends it some signal at some moment."""

    def __init__(self, folder: Path, seed: int) -> None:
        super().__init__(folder)
        self.kills = False
        self._random = random.Random(seed)

    def execute(self, arguments: list[str], env: dict[str, str]) -> tuple[int, bytes, bytes]:
        """Run a command line and return its exit code, stdout and stderr."""
        out, err = self.folder / "out.jsonl", self.folder / "err.txt"
        with out.open("wb") as stdout, err.open("wb") as stderr:
            process = subprocess.Popen(arguments, stdout=stdout, stderr=stderr, env=env)
            if self.kills:
                time.sleep(self._random.uniform(0.9, 3.2))
                number = self._random.choice(list(CODES))
                asked = time.monotonic()
                process.send_signal(number)
                code = process.wait(timeout=30)
                if code != 0:  # it may have been done already
                    assert code in CODES[number], err.read_text()
                    assert time.monotonic() - asked < 2
            else:
                code = process.wait(self.timeout)
        written = out.read_bytes()
        assert written == b"" or written.endswith(b"\n"), "a line was cut"
        return code, written, err.read_bytes()


@pytest.mark.parametrize("seed", range(10))
def test_after_five_kills_and_a_whole_run_the_union_is_the_truth(tmp_path: Path, seed: int) -> None:
    company = build_company(1234567, "Afbrudt ApS", seed=seed, entries=9_000)
    tap = Killer(tmp_path, seed)
    with Sandbox({"demo": Grant(company)}, latency=0.08) as sandbox:
        warehouse = Warehouse(tap, sandbox, company, *STREAMS)
        tap.catalog_of()  # what is discovered first is not killed
        for number in range(5):
            tap.kills = True
            warehouse.run(code=None)
            tap.kills = False
            if number == 2:  # from here on it is an incremental run that is cut
                warehouse.run()
                unpaid: Any = company.rows("rest:/invoices/unpaid")
                company.pay(unpaid[0]["bookedInvoiceNumber"])
        warehouse.run()
        warehouse.run()
    assert warehouse.wrong() == []
