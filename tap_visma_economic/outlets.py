"""Standard output and error: whoever starts a program may have closed them."""

from __future__ import annotations

import os
import sys


def ready() -> None:
    """Let what is said to a closed stderr go nowhere, and end the process if stdout is closed."""
    if sys.stderr is None:  # what is opened next must not get its number
        sys.stderr = os.fdopen(os.open(os.devnull, os.O_WRONLY), "w")
    if sys.stdout is None:
        sys.exit("stdout is closed: there is nowhere to write to")
