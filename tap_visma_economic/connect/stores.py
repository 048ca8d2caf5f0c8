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
import stat
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

from dotenv.main import resolve_variables
from dotenv.parser import parse_stream

from tap_visma_economic import files
from tap_visma_economic.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from contextlib import AbstractContextManager

    from dotenv.parser import Binding

PREFIX = "TAP_VISMA_ECONOMIC_"
"""What the tap's settings begin with in the environment."""

_PLAIN = re.compile(r"[A-Za-z0-9_.+/=:-]*", re.ASCII)
"""A value that a shell, Meltano and python-dotenv read the same without quotes."""

_BEFORE = re.compile(r"(?P<blank>(?:[^\S\r\n]*(?:\r\n|\r|\n))*)[^\S\r\n]*(?:export[^\S\r\n]+)?")
"""What python-dotenv counts to a line: the empty ones above it, its indentation, `export`."""


class Store(Protocol):
    """A place for tokens. `label` is what to call it."""

    label: str

    def read(self) -> dict[str, Any]:
        """Return the settings that are there.

        Raises:
            ConfigError: they cannot be read.
        """

    def ready(self) -> None:
        """See that settings can be put in, before somebody is asked for them.

        Raises:
            ConfigError: they cannot.
        """

    def alone(self) -> AbstractContextManager[None]:
        """Wait until no other command is between reading and writing it, and keep others waiting.

        Raises:
            ConfigError: its folder cannot be read.
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

    def ready(self) -> None:
        """Do nothing: it can be printed to."""

    def alone(self) -> AbstractContextManager[None]:
        """Wait for nobody: nothing of it is read."""
        return contextlib.nullcontext()

    def write(self, changes: Mapping[str, Any]) -> None:
        """Print the grant token, past the buffer: what is left there Python would write again."""
        try:
            os.write(sys.stdout.fileno(), f"{changes['agreement_grant_token']}\n".encode())
        except OSError as error:
            raise ConfigError(f"{self.label} cannot be written: {error.strerror}") from None


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

    def ready(self) -> None:
        """See that the file can be replaced."""
        _ready(self._path)

    def alone(self) -> AbstractContextManager[None]:
        """Keep other commands from the file."""
        return _alone(self._path)

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
        return self._settings_in(_text_of(self._path))

    def _settings_in(self, text: str) -> dict[str, Any]:
        named = ((line.key, line.value) for line in _lines(text) if line.key)
        texts = {
            name.removeprefix(PREFIX).lower(): value
            for name, value in resolve_variables(named, override=True).items()
            if name.startswith(PREFIX) and value is not None
        }
        return settings_of(texts, where=self.label)

    def ready(self) -> None:
        """See that the file can be replaced, and takes tokens."""
        _ready(self._path)
        token = {"agreement_grant_token": "token"}
        self._text_with({"app_secret_token": "token", **token, "agreements": [token]})

    def alone(self) -> AbstractContextManager[None]:
        """Keep other commands from the file."""
        return _alone(self._path)

    def write(self, changes: Mapping[str, Any]) -> None:
        """Replace the lines of the settings that change, and put new ones at the end."""
        _replace(self._path, self._text_with(changes))

    def _text_with(self, changes: Mapping[str, Any]) -> str:
        held, lines = self.read(), _lines(_text_of(self._path))
        texts = [line.original.string for line in lines]
        end = "\r\n" if any(text.endswith("\r\n") for text in texts) else "\n"
        added = []
        for name, value in changes.items():
            if held.get(name) == value:
                continue  # its line may refer to another variable, or tell something beside it
            variable = PREFIX + name.upper()
            places = [place for place, line in enumerate(lines) if line.key == variable]
            if value is None:
                for place in places:
                    texts[place] = _before(texts[place], "blank")
            elif places:  # of several lines for one name, the last one counts
                last = places[-1]
                texts[last] = f"{_before(texts[last])}{variable}={_quoted(value)}{end}"
            else:
                added.append(f"{variable}={_quoted(value)}{end}")
        text = "".join(texts)
        if added and text and not text.endswith(("\n", "\r")):
            text += end
        text += "".join(added)
        found = self._settings_in(text)
        if any(found.get(name) != value for name, value in changes.items()):
            raise ConfigError(
                f"{self.label} cannot take the tokens: a quote in it has no end. Mend that line"
            )
        return text


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


def _lines(text: str) -> list[Binding]:
    return list(parse_stream(io.StringIO(text)))


def _before(text: str, part: str | int = 0) -> str:
    found = _BEFORE.match(text)
    return found[part] if found else ""


def _quoted(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    if _PLAIN.fullmatch(text):
        return text
    if set(text) & set("'\\\n\r"):
        raise ConfigError("A value has a quote, backslash or line break: .env cannot hold it")
    return f"'{text}'"


def _text_of(path: Path) -> str:
    """Return what stands in a file, with its own ends of lines; nothing if there is no file."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # a pipe would wait, a device would be replaced
            raise ConfigError(f"{path} is not an ordinary file")
        with path.open(encoding="utf-8", newline="") as file:
            return file.read()
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path} is not text in UTF-8") from None


def _ready(path: Path) -> None:
    _text_of(path)
    with _beside(path):
        pass


@contextlib.contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Lock a file's folder: the file itself is replaced, and a lock would go with the old one.

    On Windows, and where a network drive knows no locks, nobody waits.
    """
    if not fcntl:
        yield
        return
    try:
        folder = os.open(path.resolve().parent, os.O_RDONLY)
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from None
    try:
        with contextlib.suppress(OSError):
            fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def _replace(path: Path, text: str) -> None:
    """Put a text in a file's place, readable by its owner alone, whole or not at all."""
    with _beside(path) as (temporary, real):
        with temporary.open("w", encoding="utf-8", newline="") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        _same_owner(temporary, real)
        temporary.replace(real)


def _same_owner(new: Path, old: Path) -> None:
    """Give a file the owner of the one that it replaces, if an administrator does this for them."""
    with contextlib.suppress(OSError, AttributeError):  # Windows has no chown
        owner = old.stat()
        if owner.st_uid != new.stat().st_uid:
            os.chown(new, owner.st_uid, owner.st_gid)


@contextlib.contextmanager
def _beside(path: Path) -> Iterator[tuple[Path, Path]]:
    """Make an empty file of mode 0600 beside a file, and remove it if it is still there.

    Yields it, and the file itself where `path` is a link: a link stays a link.

    Raises:
        ConfigError: the folder takes no file, or something went wrong with it.
    """
    try:
        real = path.resolve()
        handle, name = tempfile.mkstemp(prefix=f".{real.name}.", dir=real.parent)
        os.close(handle)
        temporary = Path(name)
        try:
            yield temporary, real
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise ConfigError(f"{path} cannot be written: {error.strerror}") from None
    except UnicodeEncodeError:
        raise ConfigError(f"{path} has signs that are no text (half of a \\u pair)") from None
