"""The files a user gives: read and checked for their shape, without quoting from them.

A settings file holds tokens, so no message shows what stands in a file, only where it is wrong.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dotenv import load_dotenv
from singer_sdk.singerlib.catalog import Catalog

from tap_visma_economic.errors import ConfigError

if TYPE_CHECKING:
    from typing import IO, TypeGuard


_BEFORE = "Give the one before it, or none at all"
_INSTEAD = {"settings": "It must hold a JSON object: {...}", "state": _BEFORE, "catalog": _BEFORE}
"""What to do about an empty file."""


def check_config(path: str) -> None:
    """Check that a settings file is there and holds a JSON object.

    Raises:
        ConfigError: what is wrong with it.
    """
    try:
        with Path(path).open(encoding="utf-8") as file:
            _object("settings", file)
    except ConfigError:
        if Path(path).name.startswith(".env"):
            raise ConfigError(
                f"{path} is not a settings file in JSON. What it holds belongs into the "
                "environment, and is then read with --config=ENV; Meltano does so by itself"
            ) from None
        raise
    except OSError as error:
        if path.lstrip().startswith("{"):
            raise ConfigError("--config takes the path of a file, not the settings") from None
        raise ConfigError(f"The settings file {path} cannot be read: {error.strerror}") from None


def load_variables(path: Path) -> None:
    """Put into the environment what a .env file holds and the environment does not.

    Raises:
        ConfigError: it cannot be read.
    """
    if not path.is_file():
        return
    try:
        load_dotenv(path)
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from None
    except ValueError:
        raise ConfigError(f"{path} is not text in UTF-8") from None


def catalog_of(file: IO[str] | None) -> dict[str, Any] | None:
    """Return the catalog in a file.

    Raises:
        ConfigError: it is none.
    """
    if file is None:
        return None
    catalog = _object("catalog", file)
    if not _is_catalog(catalog):
        raise ConfigError(
            "The catalog file is not a Singer catalog: it must hold a list of streams. "
            "`tap-visma-economic --discover > catalog.json` writes one"
        )
    return catalog


def state_of(file: IO[str] | None) -> dict[str, Any] | None:
    """Return the state in a file.

    Raises:
        ConfigError: it is none that this tap has written.
    """
    if file is None:
        return None
    state = _object("state", file)
    bookmarks = state.get("bookmarks", {})
    if (state and "bookmarks" not in state) or not (
        isinstance(bookmarks, dict)
        and all(
            isinstance(known, dict)
            and _is_list_of_objects(known.get("partitions", []))
            and all(map(_is_partition, known.get("partitions", [])))
            and _has_each_once(known.get("partitions", []))
            for known in bookmarks.values()
        )
    ):
        raise ConfigError(
            "The state file is not a state that this tap has written. Give the `value` of the "
            "last STATE message, or no state file at all to read everything again"
        )
    return state


def _object(what: str, file: IO[str]) -> dict[str, Any]:
    def no_number(text: str) -> None:
        raise ConfigError(f"The {what} file is not JSON: {text} is no number")

    try:
        text = file.read()
        if not text.strip():
            raise ConfigError(f"The {what} file {file.name} is empty. {_INSTEAD[what]}")
        if text.startswith("\ufeff"):
            raise ConfigError(
                f"The {what} file begins with a byte order mark: save it as UTF-8 without BOM"
            )
        value = json.loads(text, parse_constant=no_number)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}: {error.msg}"
        raise ConfigError(f"The {what} file is not JSON ({where})") from None
    except (ValueError, RecursionError):
        raise ConfigError(f"The {what} file is not JSON in UTF-8") from None
    if not isinstance(value, dict):
        raise ConfigError(f"The {what} file must hold a JSON object: {{...}}")
    return value


def _is_catalog(catalog: dict[str, Any]) -> bool:
    streams = catalog.get("streams")
    if not _is_list_of_objects(streams):
        return False
    try:
        Catalog.from_dict(catalog)
    except (AttributeError, KeyError, TypeError, ValueError):  # the SDK expects what is right
        return False
    return all(
        isinstance(stream.get("tap_stream_id"), str)
        and isinstance(stream.get("key_properties") or [], list)
        for stream in streams
    )


def _has_each_once(partitions: list[dict[str, Any]]) -> bool:
    contexts = [partition["context"] for partition in partitions]
    return all(context not in contexts[:place] for place, context in enumerate(contexts))


def _is_partition(known: dict[str, Any]) -> bool:
    """Return whether a partition's state is of the shape in which this tap writes it."""
    context, points = known.get("context"), known.get("checkpoints") or []
    opened = known.get("open") or []
    return (
        isinstance(context, dict)
        and type(context.get("agreementNumber", 0)) is int
        and isinstance(points, list)
        and all(isinstance(point, list) and _are_two_integers(point) for point in points)
        and isinstance(opened, list)
        and all(type(item) in {int, str} for item in opened)
    )


def _are_two_integers(point: list[object]) -> bool:
    return [type(item) for item in point] == [int, int]


def _is_list_of_objects(value: object) -> TypeGuard[list[dict[str, Any]]]:
    return isinstance(value, list) and all(isinstance(item, dict) for item in value)
