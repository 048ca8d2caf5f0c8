"""What a grant may read and what it may not, in a few lines: `--test` of the tap has the table."""

from __future__ import annotations

import logging
import textwrap
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from tap_visma_economic.access import Access
from tap_visma_economic.signals import signals_wait
from tap_visma_economic.tap import TapVismaEconomic

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_WIDTH = 100

_PATIENCE = 0.1
"""Minutes to wait for one answer: somebody looks on, and the grant is stored already."""


def access(config: Mapping[str, Any]) -> Iterator[str]:
    """Yield lines that tell what the one grant of these settings may read.

    Raises:
        EconomicError: e-conomic cannot be asked.
        Stopped: Ctrl-C.
    """
    logging.getLogger(TapVismaEconomic.name).setLevel(logging.CRITICAL)  # the lines say it all
    with signals_wait():
        tap = TapVismaEconomic(config={**config, "max_wait_minutes": _PATIENCE})
        tap.stop.listen()
    ((_, findings),) = tap.findings()
    left_out: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for name, found in findings.items():
        if found.access is not Access.YES:
            kind = "May not be read" if found.access is Access.NO else "Could not be asked"
            left_out[kind, found.why].append(name)
    count = len(findings) - sum(map(len, left_out.values()))
    yield f"It may read {count} of {len(findings)} streams."
    for (kind, why), streams in left_out.items():
        line = f"{kind} ({why}): {', '.join(streams)}"
        yield textwrap.fill(line, _WIDTH, initial_indent="  ", subsequent_indent="    ")
