"""What a run has cost: rows, calls, tokens and seconds, stream by stream."""

from __future__ import annotations

import threading
from collections import defaultdict
from dataclasses import astuple, dataclass, fields


@dataclass
class Cost:
    """What one stream has cost.

    Args:
        rows: rows that were written.
        calls: answers of e-conomic, also those that were asked for again.
        tokens: what they took from call budgets.
        seconds: how long the run was at it; what was read ahead meanwhile is not in it.
    """

    rows: int = 0
    calls: int = 0
    tokens: int = 0
    seconds: float = 0.0


class Costs:
    """Adds up what the streams of a run cost. May be told from any thread."""

    def __init__(self) -> None:
        self._streams: defaultdict[str, Cost] = defaultdict(Cost)
        self._lock = threading.Lock()

    def called(self, stream: str, tokens: int) -> None:
        """e-conomic has answered."""
        with self._lock:
            cost = self._streams[stream]
            cost.calls += 1
            cost.tokens += tokens

    def written(self, stream: str, rows: int, seconds: float) -> None:
        """A stream has been read and written."""
        with self._lock:
            cost = self._streams[stream]
            cost.rows += rows
            cost.seconds += seconds

    def table(self) -> str:
        """Return a line per stream and one for all, in aligned columns."""
        with self._lock:
            costs = dict(self._streams)
        total = Cost(
            *(sum(column) for column in zip(*map(astuple, costs.values()), strict=True))
            if costs
            else ()
        )
        names = [field.name for field in fields(Cost)]
        lines = [["stream", *names]]
        lines += [_line(name, cost) for name, cost in sorted(costs.items())]
        lines.append(_line("all", total))
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        return "\n".join(
            "  ".join(
                [line[0].ljust(widths[0])]
                + [cell.rjust(width) for cell, width in zip(line[1:], widths[1:], strict=True)]
            )
            for line in lines
        )


def _line(name: str, cost: Cost) -> list[str]:
    return [name, str(cost.rows), str(cost.calls), str(cost.tokens), f"{cost.seconds:.1f}"]
