"""Files that tokens are put into: what stood there stays, and nobody else may read them."""

from __future__ import annotations

import json
import os
import stat
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
from dotenv import dotenv_values
from hypothesis import given, settings
from hypothesis import strategies as st

from tap_visma_economic.connect.company import placeholders_out, with_grant
from tap_visma_economic.connect.stores import ConfigFile, EnvFile
from tap_visma_economic.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SECRET, GRANT, OTHER = "secret-token", "grant-token", "other-grant"
GRANTS = [{"agreement_grant_token": GRANT}, {"agreement_grant_token": OTHER}]
ENV = "TAP_VISMA_ECONOMIC_"


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def in_a_shell(path: Path, name: str) -> str:
    """What a variable holds after `set -a; . ./.env`."""
    script = 'set -a; . "$1"; printenv "$2"'
    command = ["sh", "-c", script, "sh", str(path), name]
    return subprocess.run(command, capture_output=True, check=True, text=True).stdout[:-1]


@pytest.mark.parametrize("make", [EnvFile, ConfigFile])
def test_a_new_file_is_its_owners_alone(
    tmp_path: Path, make: Callable[[Path], EnvFile | ConfigFile]
) -> None:
    path = tmp_path / "new"
    store = make(path)
    assert store.read() == {}
    store.write({"app_secret_token": SECRET, "agreements": GRANTS})
    assert mode(path) == 0o600
    assert store.read() == {"app_secret_token": SECRET, "agreements": GRANTS}
    assert [*tmp_path.iterdir()] == [path]


@pytest.mark.parametrize("make", [EnvFile, ConfigFile])
def test_a_file_that_others_could_read_they_can_no_longer(
    tmp_path: Path, make: Callable[[Path], EnvFile | ConfigFile]
) -> None:
    path = tmp_path / "open"
    path.touch()
    path.chmod(0o644)
    make(path).write({"agreement_grant_token": GRANT})
    assert mode(path) == 0o600


def test_lines_of_a_env_file_stay_and_the_key_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.write_text(
        "# ours\n\nTARGET_POSTGRES_PASSWORD='a # b'\n"
        f"export {ENV}APP_SECRET_TOKEN=old  # of last year\n"
        f"# {ENV}AGREEMENTS='[]'\n"
        f'{ENV}AGREEMENT_GRANT_TOKEN="old"\nLAST=$HOME'
    )
    EnvFile(path).write(
        {"app_secret_token": SECRET, "agreement_grant_token": GRANT, "agreements": GRANTS}
    )
    assert path.read_text() == (
        "# ours\n\nTARGET_POSTGRES_PASSWORD='a # b'\n"
        f"export {ENV}APP_SECRET_TOKEN={SECRET}\n"
        f"# {ENV}AGREEMENTS='[]'\n"
        f"{ENV}AGREEMENT_GRANT_TOKEN={GRANT}\nLAST=$HOME\n"
        f"{ENV}AGREEMENTS='{json.dumps(GRANTS)}'\n"
    )


def test_of_two_lines_for_one_setting_the_one_that_counts_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.write_text(f"{ENV}APP_SECRET_TOKEN=first\n{ENV}APP_SECRET_TOKEN=second\n")
    store = EnvFile(path)
    assert store.read() == {"app_secret_token": "second"}
    store.write({"app_secret_token": SECRET})
    assert store.read() == {"app_secret_token": SECRET}
    assert in_a_shell(path, f"{ENV}APP_SECRET_TOKEN") == SECRET


def test_windows_ends_of_lines_stay_and_new_lines_have_them_too(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.write_bytes(f"A=1\r\n# ours\r\n{ENV}APP_SECRET_TOKEN=old\r\nB=2".encode())
    EnvFile(path).write({"app_secret_token": SECRET, "agreement_grant_token": GRANT})
    assert path.read_bytes().decode() == (
        f"A=1\r\n# ours\r\n{ENV}APP_SECRET_TOKEN={SECRET}\r\nB=2\r\n"
        f"{ENV}AGREEMENT_GRANT_TOKEN={GRANT}\r\n"
    )


def test_empty_lines_and_the_form_of_a_line_stay_where_its_value_changes(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.write_text(
        f"A=1\n\n \n  export\t{ENV}APP_SECRET_TOKEN = 'old'\n\n{ENV}AGREEMENTS='[]'\nB=2\n"
    )
    EnvFile(path).write({"app_secret_token": SECRET, "agreements": None})
    assert path.read_text() == f"A=1\n\n \n  export\t{ENV}APP_SECRET_TOKEN={SECRET}\n\nB=2\n"


@pytest.mark.parametrize("line", ["A='b", 'A="b', "A=1\nB='c d\n"])
def test_a_quote_without_an_end_does_not_swallow_the_tokens(tmp_path: Path, line: str) -> None:
    """With the quotes of what is written, it would: what was stored could not be read again."""
    path = tmp_path / ".env"
    path.write_text(line)
    store = EnvFile(path)
    for do in (
        store.ready,
        lambda: store.write({"app_secret_token": SECRET, "agreements": GRANTS}),
    ):
        with pytest.raises(ConfigError, match="a quote in it has no end"):
            do()
    assert path.read_text() == line


def test_a_setting_that_is_taken_out_does_not_come_back_from_an_older_line(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.write_text(f"{ENV}AGREEMENTS='{json.dumps(GRANTS)}'\nA=1\n{ENV}AGREEMENTS='[]'\n")
    EnvFile(path).write({"agreements": None})
    assert path.read_text() == "A=1\n"


def test_a_value_that_refers_to_another_variable_is_read_and_its_line_stays(
    tmp_path: Path,
) -> None:
    path = tmp_path / ".env"
    text = f"OURS={SECRET}\n{ENV}APP_SECRET_TOKEN=${{OURS}}  # of all companies\n"
    path.write_text(text)
    store = EnvFile(path)
    assert store.read() == {"app_secret_token": SECRET}
    store.write({"app_secret_token": SECRET, "agreement_grant_token": GRANT})
    assert path.read_text() == f"{text}{ENV}AGREEMENT_GRANT_TOKEN={GRANT}\n"


@pytest.mark.parametrize("token", ["~/abc", "~root", "~+/x", "a:~/b", "-n=x", "+=1"])
def test_a_shell_changes_nothing_in_a_token(tmp_path: Path, token: str) -> None:
    path = tmp_path / ".env"
    EnvFile(path).write({"app_secret_token": token})
    assert in_a_shell(path, f"{ENV}APP_SECRET_TOKEN") == token
    assert dotenv_values(path) == {f"{ENV}APP_SECRET_TOKEN": token}


tokens = st.text(
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.~+/=-", min_size=3, max_size=60
)


@settings(max_examples=25)
@given(secret=tokens, grants=st.lists(tokens, max_size=4))
def test_python_dotenv_and_a_shell_read_what_was_written(
    tmp_path_factory: pytest.TempPathFactory, secret: str, grants: list[str]
) -> None:
    path = tmp_path_factory.mktemp("env") / ".env"
    agreements = [{"agreement_grant_token": grant} for grant in grants]
    EnvFile(path).write({"app_secret_token": secret, "agreements": agreements})
    read = dotenv_values(path)
    assert read[f"{ENV}APP_SECRET_TOKEN"] == in_a_shell(path, f"{ENV}APP_SECRET_TOKEN") == secret
    assert json.loads(read[f"{ENV}AGREEMENTS"] or "") == agreements
    assert json.loads(in_a_shell(path, f"{ENV}AGREEMENTS")) == agreements


def test_other_settings_of_a_settings_file_stay_in_their_order(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    text = '{"start_date": "2024-01-01", "agreement_grant_token": "old", "max_wait_minutes": 0.25}'
    path.write_text(text)
    ConfigFile(path).write(
        {"app_secret_token": SECRET, "agreement_grant_token": None, "agreements": GRANTS}
    )
    found = json.loads(path.read_text())
    assert list(found) == ["start_date", "max_wait_minutes", "app_secret_token", "agreements"]
    assert found["max_wait_minutes"] == 0.25


def test_settings_that_nobody_knows_stay_in_a_settings_file(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    ours = {"start": {"Æ": [1, None, 0.1]}, "agreement_grant_tokens": "", "": False}
    path.write_text(json.dumps(ours))
    ConfigFile(path).write({"agreement_grant_token": GRANT})
    assert json.loads(path.read_text("utf-8")) == {**ours, "agreement_grant_token": GRANT}


@pytest.mark.parametrize("make", [EnvFile, ConfigFile])
def test_what_is_no_ordinary_file_is_neither_waited_for_nor_replaced(
    tmp_path: Path, make: Callable[[Path], EnvFile | ConfigFile]
) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    link = tmp_path / "link"
    link.symlink_to(path)
    for given_path in (path, link):
        for step in (make(given_path).read, make(given_path).ready):
            with pytest.raises(ConfigError, match="is not an ordinary file"):
                step()
        with pytest.raises(ConfigError, match="is not an ordinary file"):
            make(given_path).write({"app_secret_token": SECRET})
    assert stat.S_ISFIFO(path.stat().st_mode)


def test_links_that_lead_in_a_circle_are_said(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    first.symlink_to(second)
    second.symlink_to(first)
    with pytest.raises(ConfigError, match="cannot be read: Too many levels"):
        EnvFile(first).read()


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root may chown")
def test_a_file_stays_its_owners_where_root_puts_a_token_in(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.write_text("A=1\n")
    os.chown(path, 12345, 12346)
    EnvFile(path).write({"app_secret_token": SECRET})
    found = path.stat()
    assert (found.st_uid, found.st_gid, mode(path)) == (12345, 12346, 0o600)


@pytest.mark.parametrize("make", [EnvFile, ConfigFile])
def test_a_wide_umask_opens_nothing(
    tmp_path: Path, make: Callable[[Path], EnvFile | ConfigFile]
) -> None:
    before = os.umask(0)
    try:
        make(tmp_path / "new").write({"app_secret_token": SECRET})
    finally:
        os.umask(before)
    assert mode(tmp_path / "new") == 0o600


def test_seeing_that_a_file_can_be_written_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    EnvFile(path).ready()
    assert [*tmp_path.iterdir()] == []
    path.write_text("A=1")
    path.chmod(0o644)
    EnvFile(path).ready()
    assert (path.read_text(), mode(path)) == ("A=1", 0o644)
    with pytest.raises(ConfigError, match="cannot be written: No such file"):
        ConfigFile(tmp_path / "no" / "config.json").ready()


def test_half_of_a_pair_of_signs_is_said_and_the_file_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text('{"user_agent": "\\ud800"}')
    with pytest.raises(ConfigError, match="no text"):
        ConfigFile(path).write({"app_secret_token": SECRET})
    assert path.read_text() == '{"user_agent": "\\ud800"}'
    assert [*tmp_path.iterdir()] == [path]


def test_a_link_to_a_settings_file_stays_a_link(tmp_path: Path) -> None:
    real, link = tmp_path / "real.json", tmp_path / "config.json"
    link.symlink_to(real)
    ConfigFile(link).write({"app_secret_token": SECRET})
    assert link.is_symlink()
    assert json.loads(real.read_text()) == {"app_secret_token": SECRET}


@pytest.mark.parametrize("text", ["not json", "[]", '{"app_secret_token": "half'])
def test_a_settings_file_that_cannot_be_read_is_left_alone(tmp_path: Path, text: str) -> None:
    path = tmp_path / "config.json"
    path.write_text(text)
    with pytest.raises(ConfigError, match="settings file"):
        ConfigFile(path).read()
    with pytest.raises(ConfigError):
        ConfigFile(path).write({"app_secret_token": SECRET})
    assert path.read_text() == text


def test_a_write_that_fails_leaves_the_file_and_nothing_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / ".env"
    path.write_text("A=1\n")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ConfigError, match="cannot be written: No space left"):
        EnvFile(path).write({"app_secret_token": SECRET})
    assert path.read_text() == "A=1\n"
    assert [*tmp_path.iterdir()] == [path]


def test_a_folder_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be written: No such file"):
        EnvFile(tmp_path / "no" / ".env").write({"app_secret_token": SECRET})


def test_a_broken_list_in_a_env_file_is_named_and_not_shown(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.write_text(f"{ENV}AGREEMENTS='[{GRANT}'\n")
    with pytest.raises(ConfigError, match=r"AGREEMENTS in .* must be a list") as caught:
        EnvFile(path).read()
    assert GRANT not in str(caught.value)


def changed(config: dict[str, Any], *without: str) -> dict[str, Any]:
    changes = with_grant(config, SECRET, GRANT, without)
    merged = {**config, **changes}
    return {name: value for name, value in merged.items() if value is not None}


OLD = {"agreement_grant_token": "old-1"}
TWO = [{"agreement_grant_token": "old-2"}, {"agreement_grant_token": "old-3"}]
NEW = {"agreement_grant_token": GRANT}
APP = {"app_secret_token": SECRET}


@pytest.mark.parametrize(
    ("config", "without", "expected"),
    [
        ({}, (), {**APP, **NEW}),
        (OLD, (), {**APP, **OLD, "agreements": [NEW]}),
        ({"agreements": TWO}, (), {**APP, "agreements": [*TWO, NEW]}),
        ({**OLD, "agreements": TWO}, (), {**APP, **OLD, "agreements": [*TWO, NEW]}),
        (OLD, ("agreement_grant_token",), {**APP, **NEW}),
        ({"agreements": TWO}, ("agreements no. 1",), {**APP, "agreements": [TWO[1], NEW]}),
        ({"agreements": [*TWO, NEW]}, (), {**APP, "agreements": [*TWO, NEW]}),
        (NEW, (), {**APP, **NEW}),
    ],
)
def test_a_further_grant_joins_the_others_once(
    config: dict[str, Any], without: tuple[str, ...], expected: dict[str, Any]
) -> None:
    assert changed(config, *without) == expected


def test_the_demo_tokens_of_a_template_make_way_for_real_ones() -> None:
    demo = {"app_secret_token": "demo", "agreement_grant_token": "demo", "start_date": "2024-01-01"}
    assert placeholders_out(demo) == {"start_date": "2024-01-01"}
    sandbox = {**demo, "rest_url": "http://127.0.0.1:8765"}
    assert placeholders_out(sandbox) == sandbox
