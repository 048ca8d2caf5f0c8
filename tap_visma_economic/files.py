"""The files a user gives: settings, catalog, state and .env.

A `ConfigError` says where one is wrong, and quotes nothing from it: it may hold tokens.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import IO, Any

import msgspec
from dotenv import load_dotenv

from tap_visma_economic.errors import ConfigError


class _CatalogEntry(msgspec.Struct):
    tap_stream_id: str
    key_properties: list[str] | None = None


class _Catalog(msgspec.Struct):
    streams: list[_CatalogEntry]


class _Partition(msgspec.Struct):
    context: dict[str, Any]
    checkpoints: list[tuple[int, int]] | None = None
    open: list[str] | None = None


class _Bookmark(msgspec.Struct):
    partitions: list[_Partition] = []

    def __post_init__(self) -> None:
        contexts = [json.dumps(one.context, sort_keys=True) for one in self.partitions]
        if len(set(contexts)) < len(contexts):
            raise ValueError("two partitions with the same context")
        if any(type(one.context.get("agreementNumber", 0)) is not int for one in self.partitions):
            raise ValueError("agreementNumber is not an integer")


class _State(msgspec.Struct):
    bookmarks: dict[str, _Bookmark]


def read_config(path: str) -> dict[str, Any]:
    """Return the settings in a file."""
    try:
        with Path(path).open(encoding="utf-8") as file:
            return _json_object("settings", file)
    except ConfigError:
        if Path(path).name.startswith(".env"):
            raise ConfigError(
                f"{path} is not a settings file in JSON. Put its variables into the environment "
                "and use --config=ENV; Meltano does both by itself"
            ) from None
        raise
    except OSError as error:
        if path.lstrip().startswith("{"):
            raise ConfigError("--config takes the path of a file, not the settings") from None
        raise ConfigError(f"The settings file {path} cannot be read: {error.strerror}") from None


def load_env_file(path: Path) -> None:
    """Add the variables of a .env file to the environment, whose own take precedence."""
    try:
        if path.is_file():
            load_dotenv(path)
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from None
    except ValueError:
        raise ConfigError(f"{path} is not text in UTF-8") from None


def read_catalog(file: IO[str] | None) -> dict[str, Any] | None:
    """Return the catalog in a file."""
    if file is None:
        return None
    from singer_sdk.singerlib.catalog import Catalog  # noqa: PLC0415  takes half a second

    catalog = _json_object("catalog", file)
    try:
        msgspec.convert(catalog, _Catalog)
        Catalog.from_dict(catalog)
    except (AttributeError, KeyError, TypeError, ValueError):
        raise ConfigError(
            "The catalog file is not a Singer catalog. "
            "`tap-visma-economic --discover > catalog.json` writes one"
        ) from None
    return catalog


def read_state(file: IO[str] | None) -> dict[str, Any] | None:
    """Return the state in a file."""
    if file is None or not (state := _json_object("state", file)):
        return None
    try:
        msgspec.convert(state, _State)
    except msgspec.ValidationError as error:
        raise ConfigError(
            f"The state file is not a state that this tap has written ({error}). Give the "
            "`value` of the last STATE message, or no state file to read everything again"
        ) from None
    return state


def _json_object(what: str, file: IO[str]) -> dict[str, Any]:
    def reject(text: str) -> None:
        raise ConfigError(f"The {what} file is not JSON: it contains {text}")

    try:
        text = file.read()
        if not text.strip():
            needed = "It must hold a JSON object: {...}"
            previous = "Give the previous one, or none at all"
            hint = needed if what == "settings" else previous
            raise ConfigError(f"The {what} file {file.name} is empty. {hint}")
        if text.startswith("\ufeff"):
            raise ConfigError(
                f"The {what} file begins with a byte order mark: save it as UTF-8 without BOM"
            )
        value = json.loads(text, parse_constant=reject)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}: {error.msg}"
        raise ConfigError(f"The {what} file is not JSON ({where})") from None
    except (ValueError, RecursionError):
        raise ConfigError(f"The {what} file is not JSON in UTF-8") from None
    if not isinstance(value, dict):
        raise ConfigError(f"The {what} file must hold a JSON object: {{...}}")
    return value
