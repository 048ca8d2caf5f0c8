"""Settings in the environment: text, which the SDK turns into values without checking it."""

from __future__ import annotations

import json
import math
import os
import re
from functools import partial
from typing import TYPE_CHECKING, Any

from tap_visma_economic.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    Schema = Mapping[str, Any]


_NAME = re.compile(r"[A-Z]{1,20}(_[A-Z]{1,20}){0,9}", re.ASCII)
_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")


def check(schema: Schema, prefix: str) -> None:
    """Check the settings in the environment as far as text can be wrong.

    Args:
        schema: JSON Schema of all settings.
        prefix: what the variables' names begin with.

    Raises:
        ConfigError: which variable is wrong; never with its value.
    """
    for name, kind in _kinds(schema):
        variable, (form, fits) = prefix + name.upper(), _FORMS[kind]
        if variable in os.environ and not fits(os.environ[variable]):
            raise ConfigError(f"{variable} in the environment must be {form}")


def unknown(schema: Schema, prefix: str) -> list[str]:
    """Return the variables that look like settings of the tap and are none.

    What is no name of capitals is not shown: it could be a token.
    """
    known = {prefix + name.upper() for name in schema["properties"]} | {f"{prefix}LOGLEVEL"}
    found = [name for name in os.environ if name.startswith(prefix) and name not in known]
    return sorted(name if _NAME.fullmatch(name) else f"{prefix}..." for name in found)


def wrong_level(*names: str) -> str | None:
    """Return what is wrong with the level of the log, which the SDK does not check."""
    name = next((name for name in names if os.environ.get(name)), "")
    if os.environ.get(name, "INFO").upper() in _LEVELS:
        return None
    return f"{name} in the environment must be one of {', '.join(_LEVELS)}"


def with_numbers(config: Mapping[str, Any], schema: Schema) -> dict[str, Any]:
    """Return settings from the environment with numbers as numbers: the SDK leaves them text."""
    numbers = {name for name, kind in _kinds(schema) if kind == "number"}
    return {name: float(value) if name in numbers else value for name, value in config.items()}


def _kinds(schema: Schema) -> Iterator[tuple[str, str]]:
    for name, setting in schema["properties"].items():
        kinds = setting.get("type", ())
        yield from ((name, kind) for kind in _FORMS if kind in kinds)


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def _is_json(text: str, kind: type) -> bool:
    try:
        return isinstance(json.loads(text), kind)
    except (ValueError, RecursionError):
        return False


_FORMS: dict[str, tuple[str, Callable[[str], object]]] = {
    "integer": ("a whole number", re.compile(r"\s*[+-]?\d{1,18}\s*", re.ASCII).fullmatch),
    "number": ("a number", _is_number),
    "boolean": ("true or false", re.compile(r"(?i)true|false|1|0|yes|no|on|off").fullmatch),
    "array": ("a list in JSON: [...]", partial(_is_json, kind=list)),
    "object": ("an object in JSON: {...}", partial(_is_json, kind=dict)),
}
"""How a variable's text must look, by the JSON type of the setting."""
