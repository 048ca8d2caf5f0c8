"""Sections of a Markdown file, by their headings."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_FENCE = re.compile(r"^(```+|~~~+)")
_HEADING = re.compile(r"^(#+) (.+)$")


def section(text: str, heading: str) -> str:
    """Return what stands below a heading, up to the next one of the same rank or a higher one.

    Raises:
        LookupError: there is no such heading.
    """
    level, lines = 0, []
    for line, found in _with_headings(text):
        rank = len(found[1]) if found else 0
        if level and found and rank <= level:
            break
        if level:
            lines.append(line)
        elif found and found[2].strip() == heading:
            level = rank
    if not level:
        raise LookupError(f"there is no heading {heading!r}")
    return "\n".join(lines).strip() + "\n"


def _with_headings(text: str) -> Iterator[tuple[str, re.Match[str] | None]]:
    """Yield each line, and its match if it is a heading: not inside of a fenced block."""
    fence = ""
    for line in text.splitlines():
        mark = _FENCE.match(line)
        if mark and not fence:
            fence = mark[1]
        elif mark and line.strip() == fence:
            fence = ""
            yield line, None
            continue
        yield line, None if fence else _HEADING.match(line)
