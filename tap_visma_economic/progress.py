"""Progress on a terminal: one line on stderr that says what is being written and how fast.

Where nobody looks at a terminal there is no such line: the SDK's metrics tell the same there.
"""

from __future__ import annotations

import sys
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

from tqdm import tqdm
from tqdm.contrib.logging import logging_redirect_tqdm

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_visma_economic.partition import Step

_FORMAT = "{desc} [{elapsed}, {rate_fmt}]"


class Progress:
    """Tells of pages as they are written.

    Args:
        bar: the line; None where there is no terminal.
    """

    def __init__(self, bar: tqdm[Any] | None) -> None:
        self._bar = bar
        self._listing: object = None
        self._name = ""
        self._rows = 0
        self._total: int | None = None

    def wrote(self, stream: str, step: Step, left: float | None) -> None:
        """A page has been written.

        Args:
            stream: its stream.
            step: the page.
            left: tokens that are left in the agreement's call budget, as far as is known.
        """
        bar = self._bar
        if bar is None:
            return
        if stream != self._name:
            self._name, self._rows, self._total = stream, 0, 0
        if step.context is not self._listing:  # the first page of a listing tells how long it is
            self._listing = step.context
            told = step.page.results if step.page.more else len(step.page.rows)
            known = self._total is not None and told is not None
            self._total = (self._total or 0) + (told or 0) if known else None
        self._rows += len(step.page.rows)
        of_total = f"/{self._total}" if self._total is not None else ""
        tokens = f", {left:.0f} tokens left" if left is not None else ""
        rows = bar.n + len(step.page.rows)
        bar.set_description_str(
            f"{stream} {self._rows}{of_total}: {rows} rows in all{tokens}", refresh=False
        )
        bar.update(len(step.page.rows))


@contextmanager
def progress() -> Iterator[Progress]:
    """Show progress while a run lasts, if stderr is a terminal; log lines stay above the line."""
    if not sys.stderr.isatty():
        yield Progress(None)
        return
    tqdm.monitor_interval = 0  # no thread of its own
    with ExitStack() as stack:
        bar = stack.enter_context(
            tqdm(
                bar_format=_FORMAT,
                unit=" rows",
                leave=False,
                file=sys.stderr,
                mininterval=0.2,
                miniters=1,
            )
        )
        stack.enter_context(logging_redirect_tqdm())
        yield Progress(bar)
