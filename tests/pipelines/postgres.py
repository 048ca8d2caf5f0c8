"""A PostgreSQL server of the tests' own, run by an ordinary user."""

from __future__ import annotations

import csv
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typing_extensions import Self

USUAL_PLACES = (
    "/usr/lib/postgresql/*/bin",
    "/usr/pgsql-*/bin",
    "/opt/homebrew/opt/postgresql*/bin",
    "/usr/local/opt/postgresql*/bin",
)
NEEDED = ("initdb", "pg_ctl", "postgres", "psql")
_ZONE = "-c timezone=Europe/Copenhagen"  # not UTC, so that a test can tell
ORDINARY_USERS = ("postgres", "nobody")
"""Who runs the server when the tests are run by root, as whom it refuses to start."""


def find_binaries() -> Path | None:
    """The folder with PostgreSQL's programs, the newest version's; None if there is none."""
    on_path = [Path(found).resolve().parent for name in NEEDED if (found := shutil.which(name))]
    usual = [place for pattern in USUAL_PLACES for place in Path("/").glob(pattern[1:])]
    for folder in (*on_path, *sorted(usual, key=_version, reverse=True)):
        if all((folder / name).exists() for name in NEEDED):
            return folder
    return None


def _version(folder: Path) -> int:
    digits = "".join(filter(str.isdigit, folder.parent.name))
    return int(digits or 0)


class Postgres:
    """A new, empty server on a free port of 127.0.0.1. Use it as a context manager.

    Args:
        binaries: the folder with PostgreSQL's programs.
        fsync: whether what is committed survives a power cut; tests are faster without.
    """

    user = "economic"
    database = "postgres"

    def __init__(self, binaries: Path, *, fsync: bool = False) -> None:
        self.binaries = binaries
        self._fsync = "on" if fsync else "off"
        self.port = free_port()
        self.folder = Path(tempfile.mkdtemp(prefix="economic-pg-"))
        self._identity: dict[str, Any] = {}
        if os.geteuid() == 0:
            account = _ordinary_user()
            os.chown(self.folder, account.pw_uid, account.pw_gid)
            self._identity = {
                "user": account.pw_uid,
                "group": account.pw_gid,
                "extra_groups": [],
            }

    def __enter__(self) -> Self:
        try:
            self._run("initdb", "-D", "data", "-U", self.user, "-A", "trust", "-E", "UTF8", "-N")
            options = f"-p {self.port} -h 127.0.0.1 -k {self.folder} -c fsync={self._fsync} {_ZONE}"
            self._run("pg_ctl", "-D", "data", "-l", "log", "-w", "-o", options, "start")
        except BaseException:
            shutil.rmtree(self.folder)
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._run("pg_ctl", "-D", "data", "-m", "immediate", "-w", "stop")
        shutil.rmtree(self.folder)

    @property
    def url(self) -> str:
        """The URL of its database."""
        return f"postgresql://{self.user}@127.0.0.1:{self.port}/{self.database}"

    def new_database(self, name: str) -> str:
        """Make a further database and return its URL."""
        self.query(f"CREATE DATABASE {name}")
        return self.url.removesuffix(self.database) + name

    def query(self, sql: str, url: str = "") -> list[list[str]]:
        """The rows of a query, every value as text; of the database at a URL, if one is given."""
        text = self._run("psql", "-X", "-q", "--csv", "-t", "-d", url or self.url, "-c", sql)
        return list(csv.reader(text.splitlines()))

    def _run(self, program: str, *arguments: str) -> str:
        done = subprocess.run(
            [str(self.binaries / program), *arguments],
            cwd=self.folder,
            env={**os.environ, "HOME": str(self.folder), "LC_ALL": "C.UTF-8"},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
            **self._identity,
        )
        if done.returncode:
            raise RuntimeError(f"{program} failed: {done.stdout}{done.stderr}")
        return str(done.stdout)


def _ordinary_user() -> pwd.struct_passwd:
    for account in pwd.getpwall():
        if account.pw_name in ORDINARY_USERS:
            return account
    raise RuntimeError(f"PostgreSQL does not run as root, and there is no user {ORDINARY_USERS}")


def free_port() -> int:
    """A port of 127.0.0.1 that nobody uses."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
        return port
