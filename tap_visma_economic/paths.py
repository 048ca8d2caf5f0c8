"""Paths: e-conomic's own encoding of values in them, then the usual percent-encoding."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

PathContext = dict[str, Any]
"""agreementNumber and the path parameters of one listing: columns of all its records."""

_ECONOMIC = str.maketrans(
    {character: f"_{number}_" for number, character in enumerate("<>*%:&/\\_ ?.#+")}
)
"""Characters that a path must not contain, by e-conomic's table (docs/economic-api.md#paths)."""


def encoded(value: int | str) -> str:
    """Return a value as it is written in a path: `2025/2026` as `2025_6_2026`."""
    return quote(str(value).translate(_ECONOMIC), safe="")


def fill(path: str, values: Mapping[str, int | str]) -> str:
    """Return a path template with its parameters filled in."""
    for name, value in values.items():
        path = path.replace(f"{{{name}}}", encoded(value))
    return path
