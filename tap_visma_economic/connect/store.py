"""The agreements file on disk: locked, mode 0600, and replaced in one step where possible.

What cannot be read or written is a `ConfigError`.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

from tap_visma_economic.agreements_file import COLUMNS, Format, parse, render
from tap_visma_economic.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import IO

    from tap_visma_economic.agreements_file import Grant

_MOUNTED = ". If it is a mounted secret, change it where it is managed, or save to another file"

_NO_REPLACEMENT = {errno.EACCES, errno.EBUSY, errno.EPERM, errno.EROFS, errno.EXDEV}
"""Errors of replacing a file that is a mount point, or is in a read-only folder."""


def load(path: Path) -> tuple[list[Grant], Format]:
    """Return the grants in a file and how it is written; none if there is no file yet."""
    new = Format(COLUMNS, ";", "utf-8-sig") if path.suffix.lower() == ".csv" else Format()
    with _explained(path, "read"):
        try:
            if not stat.S_ISREG(path.stat().st_mode):  # a pipe would block
                raise ConfigError(f"{path} is not a regular file")
            content = path.read_bytes()
        except FileNotFoundError:
            return [], new
    return parse(content, str(path)) if content.strip() else ([], new)


def check(path: Path) -> None:
    """Check that a file can be saved, before the first question."""
    load(path)
    real = path.resolve()
    if real.exists() and os.access(real, os.W_OK):
        return
    with _explained(path, "written"), tempfile.TemporaryFile(dir=real.parent):
        pass


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Keep other processes from changing a file, until the block ends.

    The folder is locked because the file may be replaced, and the file because containers may mount
    it into different folders. On Windows, and on network drives without locks, nothing is locked.
    """
    real = path.resolve()
    with contextlib.ExitStack() as stack:
        for place in (real.parent, real) if fcntl else ():
            if place.exists():
                with _explained(path, "read"):
                    handle = os.open(place, os.O_RDONLY)
                stack.callback(os.close, handle)
                with contextlib.suppress(OSError):
                    fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def save(path: Path, grants: Sequence[Grant], form: Format) -> None:
    """Write a file that only its owner can read. A symbolic link stays one."""
    content, real = render(grants, form), path.resolve()
    with _explained(path, "written"):
        try:
            _replace(real, content)
        except OSError as error:
            if error.errno not in _NO_REPLACEMENT or not real.exists():
                raise
            _overwrite(real, content)


def _replace(real: Path, content: bytes) -> None:
    handle, name = tempfile.mkstemp(prefix=f".{real.name}.", dir=real.parent)
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(OSError, AttributeError):  # root keeps the owner; Windows has none
            os.chown(temporary, real.stat().st_uid, real.stat().st_gid)
        temporary.replace(real)
    finally:
        temporary.unlink(missing_ok=True)


def _overwrite(real: Path, content: bytes) -> None:
    """Write into a file that cannot be replaced; on a full disk its content is restored."""
    with real.open("r+b") as file:
        with contextlib.suppress(OSError):  # not every mounted drive has modes
            real.chmod(0o600)
        before = file.read()
        try:
            _rewrite(file, content)
        except OSError:
            _rewrite(file, before)
            raise


def _rewrite(file: IO[bytes], content: bytes) -> None:
    file.seek(0)
    file.write(content)
    file.truncate()
    file.flush()
    os.fsync(file.fileno())


@contextlib.contextmanager
def _explained(path: Path, what: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        hint = _MOUNTED if what == "written" and path.exists() else ""
        raise ConfigError(f"{path} cannot be {what}: {error.strerror}{hint}") from None
