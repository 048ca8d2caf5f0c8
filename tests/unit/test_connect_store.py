"""The agreements file on disk: nobody else can read it, and nobody ever finds half of one."""

from __future__ import annotations

import os
import random
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tap_visma_economic.agreements_file import Format, Grant, render
from tap_visma_economic.connect import store
from tap_visma_economic.errors import ConfigError

TOKEN, OTHER = "grant-token", "other-token"
GRANTS = [Grant(TOKEN, "", 1234567, "Firma 0")]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file with a grant."""
    store.save(tmp_path / "f", GRANTS, Format())
    return tmp_path / "f"


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def tokens_in(path: Path) -> list[str]:
    return [grant.token for grant in store.load(path)[0]]


def python(code: str, *arguments: object) -> subprocess.Popen[bytes]:
    code = f"from pathlib import Path\nfrom tap_visma_economic.connect import store\n{code}"
    return subprocess.Popen([sys.executable, "-c", f"import sys\n{code}", *map(str, arguments)])


@pytest.mark.parametrize("name", ["new.csv", "new.jsonl", "new"])
def test_a_new_file_is_its_owners_alone(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    grants, form = store.load(path)
    assert (grants, bool(form.columns)) == ([], name.endswith(".csv"))
    before = os.umask(0)
    try:
        store.save(path, GRANTS, form)
    finally:
        os.umask(before)
    assert mode(path) == 0o600
    assert store.load(path) == (GRANTS, form)
    assert [*tmp_path.iterdir()] == [path]


def test_a_file_that_others_could_read_they_can_no_longer(path: Path) -> None:
    path.chmod(0o644)
    store.save(path, GRANTS, Format())
    assert mode(path) == 0o600


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_file_stays_its_owners_where_root_saves_a_grant(path: Path) -> None:
    os.chown(path, 12345, 12346)
    store.save(path, GRANTS, Format())
    found = path.stat()
    assert (found.st_uid, found.st_gid, mode(path)) == (12345, 12346, 0o600)


def test_seeing_that_a_file_can_be_written_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "f"
    store.check(path)
    assert [*tmp_path.iterdir()] == []
    path.write_text(f'{{"agreement_grant_token": "{TOKEN}"}}')
    path.chmod(0o644)
    store.check(path)
    assert mode(path) == 0o644
    with pytest.raises(ConfigError, match="cannot be written: No such file"):
        store.check(tmp_path / "no" / "f")


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    real, link = tmp_path / "real", tmp_path / "link"
    link.symlink_to(real)
    store.save(link, GRANTS, Format())
    assert link.is_symlink()
    assert tokens_in(real) == [TOKEN]


def test_what_is_not_a_regular_file_is_said_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ConfigError, match="is not a regular file"):
        store.check(tmp_path / "pipe")


def test_a_write_that_fails_leaves_the_file_and_nothing_beside_it(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = path.read_bytes()

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ConfigError, match="cannot be written: No space left"):
        store.save(path, [Grant(OTHER, "")], Format())
    assert path.read_bytes() == before
    assert [*path.parent.iterdir()] == [path]


def busy(self: Path, target: Path) -> Path:
    raise OSError(16, "Device or resource busy")


def test_a_file_that_cannot_be_replaced_is_written_in_place(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a file is that a container mounts by itself."""
    inode = path.stat().st_ino
    monkeypatch.setattr(Path, "replace", busy)
    store.save(path, [Grant(OTHER, "")], Format())
    assert tokens_in(path) == [OTHER]
    assert (path.stat().st_ino, mode(path)) == (inode, 0o600)
    assert [*path.parent.iterdir()] == [path]


def test_a_full_disk_leaves_a_file_that_cannot_be_replaced(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sync, calls = os.fsync, iter(range(9))

    def full(descriptor: int) -> None:
        if next(calls) == 1:  # the temporary file's is the first
            raise OSError(28, "No space left on device")
        sync(descriptor)

    monkeypatch.setattr(Path, "replace", busy)
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ConfigError, match="No space left"):
        store.save(path, [Grant(OTHER, "")], Format())
    assert tokens_in(path) == [TOKEN]


def test_a_mounted_secret_that_cannot_be_written_says_what_to_do(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read_only(real: Path, content: bytes) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(store, "_replace", read_only)
    monkeypatch.setattr(store, "_overwrite", read_only)
    with pytest.raises(ConfigError, match=r"Read-only file system\. If it is a mounted secret"):
        store.save(path, [Grant(OTHER, "")], Format())


ADD = """
from tap_visma_economic.agreements_file import Grant
path = Path(sys.argv[1])
for place in range(40):
    with store.locked(path):
        grants, form = store.load(path)
        store.save(path, [*grants, Grant(f"{sys.argv[2]}-{place}", "")], form)
"""


def test_processes_that_write_at_the_same_time_lose_no_line(tmp_path: Path) -> None:
    path = tmp_path / "f.csv"
    writers = [python(ADD, path, writer) for writer in ("first", "second", "third")]
    assert [writer.wait(60) for writer in writers] == [0, 0, 0]
    expected = {f"{w}-{place}" for w in ("first", "second", "third") for place in range(40)}
    assert sorted(tokens_in(path)) == sorted(expected)


ALTERNATE = """
from tap_visma_economic.agreements_file import Format, Grant
while True:
    for count in (200, 3000):
        grants = [Grant(f"{count}-{place}", "") for place in range(count)]
        store.save(Path(sys.argv[1]), grants, Format())
"""


def test_a_process_that_is_killed_leaves_the_old_or_the_new_file(path: Path) -> None:
    whole = {
        render([Grant(f"{count}-{place}", "") for place in range(count)], Format())
        for count in (200, 3000)
    }
    for seed in range(4):
        writer = python(ALTERNATE, path)
        try:
            while path.stat().st_size < 1000:
                time.sleep(0.01)
            until = time.monotonic() + random.Random(seed).uniform(0, 0.3)
            while time.monotonic() < until:
                assert path.read_bytes() in whole
        finally:
            writer.send_signal(signal.SIGKILL)
            writer.wait()
        assert path.read_bytes() in whole
        assert mode(path) == 0o600
