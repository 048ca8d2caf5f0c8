"""Where tokens are kept: a .env file, a settings file, or whoever reads standard output.

A file is written whole beside itself and then moved into place, so that nobody ever finds half of
one, and only its owner may read it (mode 0600). What stood in it otherwise stays.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import click
from dotenv.parser import parse_stream

from tap_visma_economic import files
from tap_visma_economic.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from dotenv.parser import Binding

PREFIX = "TAP_VISMA_ECONOMIC_"
"""What the tap's settings begin with in the environment."""

_PLAIN = re.compile(r"[A-Za-z0-9_.~+/=:-]*", re.ASCII)
"""A value that a shell, Meltano and python-dotenv read the same without quotes."""


class Store(Protocol):
    """A place for tokens. `label` is what to call it."""

    label: str

    def read(self) -> dict[str, Any]:
        """Return the settings that are there.

        Raises:
            ConfigError: they cannot be read.
        """

    def write(self, changes: Mapping[str, Any]) -> None:
        """Put settings in; None takes one out.

        Raises:
            ConfigError: they cannot be written.
        """


class StandardOutput:
    """Prints the grant token, and nothing else, for a program that reads it."""

    label = "standard output"

    def read(self) -> dict[str, Any]:
        """Return nothing: what was printed before is not known."""
        return {}

    def write(self, changes: Mapping[str, Any]) -> None:
        """Print the grant token."""
        click.echo(changes["agreement_grant_token"])


class ConfigFile:
    """A settings file for `--config`: a JSON object.

    Args:
        path: where it is, or is to be.
    """

    def __init__(self, path: Path) -> None:
        self.label = str(path)
        self._path = path

    def read(self) -> dict[str, Any]:
        """Return the settings in the file; none if there is no file."""
        text = _text_of(self._path)
        if not text.strip():
            return {}
        files.check_config(str(self._path))
        found: dict[str, Any] = json.loads(text)
        return found

    def write(self, changes: Mapping[str, Any]) -> None:
        """Put settings in, in the order in which they stand there."""
        merged = {**self.read(), **changes}
        kept = {name: value for name, value in merged.items() if value is not None}
        _replace(self._path, json.dumps(kept, indent=2, ensure_ascii=False) + "\n")


class EnvFile:
    """A .env file: lines such as `TAP_VISMA_ECONOMIC_APP_SECRET_TOKEN=...`.

    Meltano reads it by itself; a shell does with `set -a; . ./.env; set +a`.

    Args:
        path: where it is, or is to be.
    """

    def __init__(self, path: Path) -> None:
        self.label = str(path)
        self._path = path

    def read(self) -> dict[str, Any]:
        """Return the tap's settings in the file; none if there is no file."""
        texts = {
            line.key.removeprefix(PREFIX).lower(): line.value
            for line in self._lines()
            if line.key and line.key.startswith(PREFIX) and line.value is not None
        }
        return settings_of(texts, where=self.label)

    def write(self, changes: Mapping[str, Any]) -> None:
        """Replace the lines of these settings, and put new ones at the end."""
        left = {PREFIX + name.upper(): value for name, value in changes.items()}
        lines = [line.original.string for line in self._lines()]
        for place, line in reversed(list(enumerate(self._lines()))):
            if line.key in left:  # of several lines for one name, the last one counts
                value = left.pop(line.key)
                export = "export " if lines[place].lstrip().startswith("export ") else ""
                lines[place] = "" if value is None else f"{export}{line.key}={_quoted(value)}\n"
        if lines and not lines[-1].endswith("\n"):
            lines[-1] += "\n"
        lines += [f"{name}={_quoted(v)}\n" for name, v in left.items() if v is not None]
        _replace(self._path, "".join(lines))

    def _lines(self) -> list[Binding]:
        return list(parse_stream(io.StringIO(_text_of(self._path))))


def from_environment() -> dict[str, Any]:
    """Return the tap's settings in the environment.

    Raises:
        ConfigError: which variable is wrong.
    """
    texts = {
        name.removeprefix(PREFIX).lower(): value
        for name, value in os.environ.items()
        if name.startswith(PREFIX)
    }
    return settings_of(texts, where="the environment")


def settings_of(texts: Mapping[str, str], *, where: str) -> dict[str, Any]:
    """Return the settings that connecting needs, from text to values.

    Raises:
        ConfigError: which one is wrong; never with its value.
    """
    found: dict[str, Any] = {name: texts[name] for name in _STRINGS if texts.get(name)}
    for name, (form, kind) in _JSON.items():
        if texts.get(name):
            try:
                found[name] = json.loads(texts[name])
            except (ValueError, RecursionError):
                found[name] = None
            if not isinstance(found[name], kind):
                raise ConfigError(f"{PREFIX}{name.upper()} in {where} must be {form}")
    return found


_STRINGS = (
    "app_secret_token",
    "agreement_grant_token",
    "rest_url",
    "openapi_url",
    "ca_bundle",
    "user_agent",
)
_JSON: dict[str, tuple[str, type | tuple[type, ...]]] = {
    "agreements": ("a list in JSON: [...]", list),
    "openapi_versions": ("an object in JSON: {...}", dict),
    "request_timeout": ("a number", (int, float)),
}


def _quoted(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    if _PLAIN.fullmatch(text):
        return text
    if set(text) & set("'\\\n\r"):
        raise ConfigError("A value has a quote, backslash or line break: .env cannot hold it")
    return f"'{text}'"


def _text_of(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path} is not text in UTF-8") from None


def _replace(path: Path, text: str) -> None:
    """Put a text in a file's place, readable by its owner alone, whole or not at all."""
    real = path.resolve()  # a link stays a link
    try:
        with _beside(real) as temporary:
            with temporary.open("w", encoding="utf-8", newline="\n") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(real)
    except OSError as error:
        raise ConfigError(f"{path} cannot be written: {error.strerror}") from None


@contextlib.contextmanager
def _beside(path: Path) -> Iterator[Path]:
    """Make an empty file of mode 0600 in a file's folder, and remove it if it is still there."""
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)
