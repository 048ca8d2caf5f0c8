"""What a grant may read and what it may not: one page of every stream is asked for."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, cast

from tap_visma_economic.stopping import signals_wait
from tap_visma_economic.tap import TapVismaEconomic

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tap_visma_economic.sync import EconomicStream


def access(config: Mapping[str, Any]) -> Iterator[str]:
    """Yield lines that tell what the one grant of these settings may read.

    Raises:
        EconomicError: e-conomic cannot be asked.
        Stopped: Ctrl-C.
    """
    logging.getLogger(TapVismaEconomic.name).setLevel(logging.CRITICAL)  # the lines say it all
    with signals_wait():
        tap = TapVismaEconomic(config=dict(config))
        tap.stop.listen()
    (agreement,) = tap.agreements
    streams = cast("list[EconomicStream]", list(tap.streams.values()))
    readable = [stream for stream in streams if stream.can_read(agreement)]
    yield f"It may read {len(readable)} of {len(streams)} streams."
    skipped, failed = tap.outcome.summary()
    for line in [*skipped, *failed]:
        yield line.removeprefix(f"Skipped for {agreement}: ")
