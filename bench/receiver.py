"""How many events a second the receiver of webhooks stores: `python -m bench.receiver`."""

from __future__ import annotations

import statistics
import tempfile
import time

from tests.pipelines.postgres import Postgres, find_binaries
from tests.receiving import Load, Receiving

EVENTS = 10_000


def measure(inbox: str) -> str:
    """Return the figures of one run on an inbox."""
    with Receiving(inbox) as receiving:
        Load(receiving.port, wanted=1000).run()  # warm
        load = Load(receiving.port, wanted=EVENTS)
        begun = time.perf_counter()
        load.run()
        took = time.perf_counter() - begun
    assert load.statuses == {200: EVENTS}
    cuts = statistics.quantiles(load.seconds, n=100)
    return (
        f"{EVENTS / took:,.0f} events/s, p50 {cuts[49] * 1e3:.0f} ms, p99 {cuts[98] * 1e3:.0f} ms"
    )


def main() -> None:
    """Print the figures of SQLite and PostgreSQL."""
    with tempfile.TemporaryDirectory() as folder:
        print("SQLite:", measure(f"sqlite:///{folder}/inbox.db"))
    binaries = find_binaries()
    assert binaries, "PostgreSQL is not installed"
    with Postgres(binaries, fsync=True) as server:
        print("PostgreSQL:", measure(server.url))


if __name__ == "__main__":
    main()
