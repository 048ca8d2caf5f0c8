"""The progress line on a terminal: which stream is being written, and how fast.

Elsewhere there is none, because the SDK's metrics report the same.
"""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tqdm import tqdm

    from tap_visma_economic.replication.partition import Step


class Progress:
    """Counts pages as they are written; without a terminal (no `bar`) it does nothing."""

    def __init__(self, bar: tqdm[Any] | None) -> None:
        self._bar = bar
        self._listing: object = None
        self._name = ""
        self._rows = 0
        self._total: int | None = None

    def wrote(self, stream: str, step: Step, left: float | None) -> None:
        """Show that a page was written; `left` are tokens left in the agreement's rate limit."""
        bar = self._bar
        if bar is None:
            return
        if stream != self._name:
            self._name, self._rows, self._total = stream, 0, 0
        if step.context is not self._listing:  # the first page of a listing has its row count
            self._listing = step.context
            counted = step.page.results if step.page.more else len(step.page.rows)
            known = self._total is not None and counted is not None
            self._total = (self._total or 0) + (counted or 0) if known else None
        self._rows += len(step.page.rows)
        of_total = f"/{self._total}" if self._total is not None else ""
        tokens = f", {left:.0f} tokens left" if left is not None else ""
        rows = bar.n + len(step.page.rows)
        bar.set_description_str(
            f"{stream} {self._rows}{of_total}: {rows} rows in total{tokens}", refresh=False
        )
        bar.update(len(step.page.rows))


@contextmanager
def progress() -> Iterator[Progress]:
    """Show progress while a run lasts, if stderr is a terminal; log lines stay above the line."""
    if not sys.stderr.isatty():
        yield Progress(None)
        return
    from tqdm import tqdm  # noqa: PLC0415  slow to import, and only of use here
    from tqdm.contrib.logging import logging_redirect_tqdm  # noqa: PLC0415

    tqdm.monitor_interval = 0  # no extra thread
    line = tqdm(
        bar_format="{desc} [{elapsed}, {rate_fmt}]",
        unit=" rows",
        leave=False,
        file=sys.stderr,
        mininterval=0.2,
        miniters=1,
    )
    with line as bar, logging_redirect_tqdm():
        yield Progress(bar)
