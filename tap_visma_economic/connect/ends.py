"""How connecting can end before a grant is there, and the exit codes that tell."""

from __future__ import annotations

from typing import ClassVar

from tap_visma_economic.errors import EconomicError

CONNECTED = 0
"""The grant works and is stored, or was already there."""

FAILED = 1
"""The grant or the app secret is refused, e-conomic cannot be reached, a file cannot be used."""

INTERRUPTED = 130
"""Ctrl-C, as shells count it: 128 + SIGINT. (2 is click's, for a wrong command line.)"""


class NotGrantedError(EconomicError):
    """The browser came back without a token: whoever was asked did not add the app."""

    exit_code: ClassVar[int] = 3


class TimedOutError(EconomicError):
    """Nobody came back from e-conomic in time."""

    exit_code: ClassVar[int] = 4
