"""Memory: what one thread took and another gave back is used again."""

from __future__ import annotations

import ctypes
import sys

_ARENA_MAX = -8
"""mallopt's name for how many heaps the threads of a process share."""


def share_heaps() -> None:
    """Let all threads share two heaps of glibc.

    Pages are made in one thread and freed in another. With a heap for each thread, what was freed
    in one is not used by the others, and 500,000 entries held a third more. Other C libraries have
    no such option and are left as they are.
    """
    if sys.platform == "linux":
        mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
        if mallopt is not None:
            mallopt(_ARENA_MAX, 2)
