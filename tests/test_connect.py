"""The way from no token to a tested grant, on the command line; `test_connect_browser` has one."""

from __future__ import annotations

import contextlib
import json
import re
import shlex
import socket
import stat
import sys
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
import requests

from tests.connecting import Connect, line_of, lines_in
from tests.sandbox.approval import APP_PUBLIC_TOKEN
from tests.support import APP, CANARY, GRANT, GRANT_2, GRANT_3, NUMBER, always, canary_sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.conftest import TapRunner
    from tests.sandbox import Sandbox
    from tests.sandbox.faults import Fault

INTO = "--into=agreements.jsonl"
EXPORTED = (
    f"export TAP_VISMA_ECONOMIC_APP_SECRET_TOKEN={APP}\n"
    f"export TAP_VISMA_ECONOMIC_AGREEMENT_GRANT_TOKEN={GRANT}\n"
)
SECRET_QUESTION = "App secret token (hidden): "
SECOND_SECRET = CANARY + "app-of-somebody-else"


@pytest.fixture
def three() -> Iterator[Sandbox]:
    """Three companies; a fresh sandbox, because tests revoke grants."""
    with canary_sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def connect(tmp_path: Path, three: Sandbox) -> Connect:
    return Connect(tmp_path, three)


def approve(url: str, company: int | None) -> requests.Response:
    """Choose to add the app for a company, or to cancel, as a browser would."""
    choice = "cancel" if company is None else f"add&company={company}"
    return requests.get(f"{url}&answer={choice}", timeout=30)


def until_it_strikes(fault: Fault) -> None:
    end = time.monotonic() + 30
    while not fault.applied:
        assert time.monotonic() < end
        time.sleep(0.01)


def saved(connect: Connect) -> list[dict[str, Any]]:
    return lines_in(connect.folder / "agreements.jsonl")


def test_from_no_token_to_a_stored_grant(connect: Connect) -> None:
    with connect.waiting("--no-browser", INTO) as running:
        page = approve(running.url, 0)
        ended = running.wait()
    assert ended.exit_code == 0, ended.stderr
    assert "Firma 0 is connected" in page.text
    assert page.url == f"{running.redirect_url}/done"
    assert f"Connected to Firma 0, agreement {NUMBER}." in ended.stderr
    assert re.search(r"^  app +Warehouse sync$", ended.stderr, re.MULTILINE)
    assert re.search(r"^  roles +SuperUser$", ended.stderr, re.MULTILINE)
    assert "88 of 88 can be read" in ended.stderr
    assert saved(connect) == [line_of(0, GRANT)]
    assert stat.S_IMODE((connect.folder / "agreements.jsonl").stat().st_mode) == 0o600
    assert ended.stdout == ""
    ended.keeps_secrets()


def test_the_tap_runs_with_what_was_stored_for_three_companies(
    connect: Connect, warm_tap: TapRunner
) -> None:
    for token in (GRANT, GRANT_2, GRANT_3):
        ended = connect.paste(token, "--into=agreements.csv")
        assert ended.exit_code == 0, ended.stderr
        ended.keeps_secrets()
    urls = {"rest_url": connect.sandbox.url, "openapi_url": connect.sandbox.url}
    file = str(connect.folder / "agreements.csv")
    config = {**urls, "app_secret_token": APP, "agreements_file": file}
    run = warm_tap(config, catalog=warm_tap.catalog_of("agreements"))
    assert run.exit_code == 0, run.stderr
    numbers = [row["agreementNumber"] for row in run.records["agreements"]]
    assert numbers == [NUMBER, NUMBER + 1, NUMBER + 2]


def test_whoever_cancels_gives_no_access(connect: Connect) -> None:
    with connect.waiting("--no-browser", INTO) as running:
        page = approve(running.url, None)
        ended = running.wait()
    assert ended.exit_code == 3
    assert "Access was not granted" in ended.stderr
    assert "Not connected" in page.text
    assert list(connect.folder.iterdir()) == []


def test_nobody_coming_back_ends_in_time(connect: Connect) -> None:
    with connect.waiting("--no-browser", INTO, "--timeout=1") as running:
        begun = time.monotonic()
        ended = running.wait()
    assert ended.exit_code == 4
    assert "No response from e-conomic within 1 seconds" in ended.stderr
    assert time.monotonic() - begun < 30
    assert list(connect.folder.iterdir()) == []


def test_ctrl_c_ends_the_wait(connect: Connect) -> None:
    with connect.waiting("--no-browser", INTO) as running:
        running.interrupt()
        ended = running.wait()
    assert ended.exit_code == 130
    assert ended.stderr.endswith("Stopped.\n")
    assert "Traceback" not in ended.stderr


def test_ctrl_c_at_a_question_stores_nothing(connect: Connect) -> None:
    for questions in (
        [(SECRET_QUESTION, "\x03")],
        [(SECRET_QUESTION, APP), ("Agreement grant token: ", "\x03")],
    ):
        ended = connect.at_a_terminal("--paste", INTO, answers=questions)
        assert ended.exit_code == 130, ended.stdout
        assert ended.stdout.endswith("Stopped.\n")
        assert list(connect.folder.iterdir()) == []
        ended.keeps_secrets()


def test_ctrl_c_while_the_grant_is_checked_stores_nothing(connect: Connect) -> None:
    asked = connect.sandbox.faults.add("/self", "delay", seconds=30, times=None)

    def visit(url: str) -> None:
        with contextlib.suppress(requests.ConnectionError):  # its page never comes
            approve(url, 0)

    with connect.waiting("--no-browser", INTO) as running:
        browser = threading.Thread(target=visit, args=(running.url,))
        browser.start()
        until_it_strikes(asked)
        running.interrupt()
        ended = running.wait()
        browser.join()
    assert ended.exit_code == 130, ended.stderr
    assert list(connect.folder.iterdir()) == []
    ended.keeps_secrets()


def test_ctrl_c_while_asking_what_it_may_read_leaves_the_grant_stored(connect: Connect) -> None:
    asked = connect.sandbox.faults.add("/customers", "delay", seconds=30, times=None)
    with connect.waiting("--no-browser", INTO) as running:
        approve(running.url, 0)
        until_it_strikes(asked)
        begun = time.monotonic()
        running.interrupt()
        ended = running.wait()
    assert ended.exit_code == 130, ended.stderr
    assert time.monotonic() - begun < 20, "the answer on its way is not waited for"
    assert "Saved to agreements.jsonl" in ended.stderr
    assert saved(connect) == [line_of(0, GRANT)]
    ended.keeps_secrets()


def test_two_companies_whose_browsers_come_back_at_once_are_both_stored(
    connect: Connect, three: Sandbox
) -> None:
    three.faults.add("/self", "delay", seconds=0.5, times=None)
    options = ("--no-browser", INTO)
    with connect.waiting(*options) as second, connect.waiting(*options) as third:
        browsers = [
            threading.Thread(target=approve, args=(running.url, company))
            for company, running in enumerate((second, third), start=1)
        ]
        for browser in browsers:
            browser.start()
        ended = [second.wait(), third.wait()]
        for browser in browsers:
            browser.join()
    assert [one.exit_code for one in ended] == [0, 0], ended
    assert {line["agreement_grant_token"] for line in saved(connect)} == {GRANT_2, GRANT_3}


def test_where_nothing_can_be_stored_nobody_is_asked_for_anything(connect: Connect) -> None:
    ended = connect("--no-browser", "--into=no/such/agreements.csv")
    assert ended.exit_code == 1
    assert (
        ended.stderr
        == "Error: no/such/agreements.csv cannot be written: No such file or directory\n"
    )


@pytest.mark.parametrize("app", [APP, f"https://secure.e-conomic.com/x?appPublicToken={APP}"])
def test_a_secret_token_in_place_of_the_public_one_is_neither_shown_nor_opened(
    connect: Connect, app: str
) -> None:
    command = [*connect.command()[:-1], "--paste", "--export"]
    done = connect.run(command, f"{app}\n{APP}\n{GRANT}\n")
    assert done.exit_code == 1
    assert "That is the app's secret token. Enter its public token" in done.stderr
    assert CANARY not in done.stdout + done.stderr


def test_a_port_that_is_taken_is_said_before_anything_is_opened(connect: Connect) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = connect(f"--port={port}", INTO)
    assert ended.exit_code == 1
    assert f"Cannot listen on port {port}: Address already in use" in ended.stderr
    assert "http" not in ended.stderr
    ended.keeps_secrets()


def test_the_browser_is_opened_at_the_address_that_is_shown(connect: Connect) -> None:
    script = connect.folder / "browser.py"
    script.write_text("import pathlib, sys; pathlib.Path('opened').write_text(sys.argv[1])")
    with connect.waiting(INTO, BROWSER=f"{sys.executable} {script} %s") as running:
        opened = (connect.folder / "opened").read_text()
        approve(opened, 0)
        assert running.wait().exit_code == 0
    assert opened == running.url


def test_what_a_browser_prints_is_not_beside_the_token_and_is_not_waited_for(
    connect: Connect,
) -> None:
    script = connect.folder / "browser.sh"
    script.write_text("#!/bin/sh\necho Opening.; echo Opening. >&2; exec sleep 120\n")
    script.chmod(0o755)
    begun = time.monotonic()
    with connect.waiting("--export", BROWSER=f"{script} %s &") as running:
        approve(running.url, 0)
        ended = running.wait()
    assert (ended.exit_code, ended.stdout) == (0, EXPORTED), ended.stderr
    assert "Opening." not in ended.stderr
    assert time.monotonic() - begun < 60


@pytest.mark.parametrize(
    ("redirection", "code", "words"),
    [
        (">/dev/full", 1, "Error: standard output cannot be written: No space left on device\n"),
        (">&-", 1, "stdout is closed: there is nowhere to write to\n"),
        ("2>&-", 0, ""),
    ],
)
def test_a_standard_stream_that_takes_nothing_is_no_riddle(
    connect: Connect, redirection: str, code: int, words: str
) -> None:
    line = f"{shlex.join(connect.command('--paste', '--export'))} {redirection}"
    done = connect.run(["sh", "-c", line], f"{APP}\n{GRANT}\n")
    assert done.exit_code == code
    assert done.stderr.endswith(words)
    assert "Traceback" not in done.stderr
    assert CANARY not in done.stderr
    assert done.stdout == ("" if code else EXPORTED)


def test_without_a_screen_the_token_comes_by_hand(connect: Connect) -> None:
    ended = connect(INTO, typed=f"{APP}\n{GRANT}\n")
    assert ended.exit_code == 0, ended.stderr
    assert "No browser is available on this machine" in ended.stderr
    assert "redirectUrl" not in ended.stderr
    assert saved(connect) == [line_of(0, GRANT)]
    ended.keeps_secrets()


def test_a_port_that_is_given_is_listened_on_without_a_screen_too(connect: Connect) -> None:
    with connect.waiting("--port=47321", INTO) as running:
        assert running.redirect_url.startswith("http://127.0.0.1:47321/")
        approve(running.url, 0)
        assert running.wait().exit_code == 0


def test_a_wrong_app_secret_is_said(connect: Connect) -> None:
    with connect.waiting("--no-browser", INTO, secret=SECOND_SECRET) as running:
        page = approve(running.url, 0)
        ended = running.wait()
    assert ended.exit_code == 1
    for told in (ended.stderr, page.text):
        assert "belongs to another app than the public token" in told
    assert "Not connected" in page.text
    assert CANARY not in page.text
    assert list(connect.folder.iterdir()) == []
    ended.keeps_secrets()


def test_a_revoked_grant_is_said(connect: Connect) -> None:
    connect.sandbox.revoke(GRANT)
    ended = connect.paste(GRANT, INTO)
    assert ended.exit_code == 1
    assert "may have been revoked" in ended.stderr
    ended.keeps_secrets()


def test_a_company_that_is_there_is_not_stored_twice(connect: Connect) -> None:
    for company, token in enumerate((GRANT, GRANT_2)):
        assert connect.paste(token, INTO).exit_code == 0, company
    connect.sandbox.grants[CANARY + "new"] = connect.sandbox.grants[GRANT]
    for token in (GRANT, CANARY + "new"):
        ended = connect.paste(token, INTO)
        assert ended.exit_code == 0
        assert "Replaced its line in agreements.jsonl, which now has 2 agreements" in ended.stderr
        assert saved(connect) == [line_of(0, token), line_of(1, GRANT_2)]
        ended.keeps_secrets()


def test_a_line_without_a_number_is_recognized_by_its_company(connect: Connect) -> None:
    path = connect.folder / "agreements.csv"
    path.write_text(f"agreement_grant_token;enabled\n{GRANT};false\n{GRANT_2};\n{CANARY}gone;\n")
    connect.sandbox.grants[CANARY + "new"] = connect.sandbox.grants[GRANT_2]
    ended = connect.paste(CANARY + "new", "--into=agreements.csv")
    assert ended.exit_code == 0
    assert "agreements.csv line 4: e-conomic rejected the tokens (401)" in ended.stderr
    assert path.read_text("utf-8") == (
        "agreement_grant_token;enabled;agreement_number;name\n"
        f"{GRANT};false;;\n{CANARY}new;true;{NUMBER + 1};Firma 1\n{CANARY}gone;true;;\n"
    )
    ended.keeps_secrets()


def test_a_disabled_line_stays_disabled_and_that_is_said(connect: Connect) -> None:
    path = connect.folder / "agreements.jsonl"
    path.write_text(json.dumps({**line_of(0, GRANT_3), "enabled": False}) + "\n")
    ended = connect.paste(GRANT, INTO)
    assert "The line stays disabled" in ended.stderr
    assert saved(connect) == [{**line_of(0, GRANT), "enabled": False}]


def test_missing_numbers_and_names_are_filled_in(connect: Connect) -> None:
    path = connect.folder / "agreements.csv"
    path.write_bytes(f"agreement_grant_token\r\n{GRANT}\r\n{GRANT_2}\r\n".encode())
    ended = connect("--fill", "--into=agreements.csv")
    assert (ended.exit_code, ended.stderr.splitlines()[-1]) == (
        0,
        "Filled 2 lines of agreements.csv.",
    )
    assert path.read_bytes().decode() == (
        "agreement_grant_token;agreement_number;name;enabled\r\n"
        f"{GRANT};{NUMBER};Firma 0;true\r\n{GRANT_2};{NUMBER + 1};Firma 1;true\r\n"
    )
    ended.keeps_secrets()


def test_what_cannot_be_filled_in_is_named_and_the_rest_is_saved(connect: Connect) -> None:
    new = CANARY + "new"
    connect.sandbox.grants[new] = connect.sandbox.grants[GRANT]
    connect.sandbox.revoke(GRANT_2)
    wrong = {"agreement_number": NUMBER + 9, "agreement_grant_token": GRANT_3}
    lines = [{"agreement_grant_token": token} for token in (GRANT, GRANT_2, new)]
    path = connect.folder / "agreements.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in [*lines, wrong]))
    ended = connect("--fill", INTO)
    assert ended.exit_code == 1
    assert "Filled 1 line of agreements.jsonl." in ended.stderr
    assert "line 2: e-conomic rejected the tokens (401)" in ended.stderr
    assert (
        f"line 3 is for agreement {NUMBER} (Firma 0), as is agreements.jsonl line 1" in ended.stderr
    )
    assert f"line 4: the grant is for agreement {NUMBER + 2} (Firma 2), not" in ended.stderr
    assert [line["agreement_number"] for line in saved(connect)] == [NUMBER, None, None, NUMBER + 9]
    ended.keeps_secrets()


def test_an_invalid_file_is_said_before_anything_is_asked(connect: Connect) -> None:
    path = connect.folder / "agreements.csv"
    path.write_text(f"agreement_number;agreement_grant_token\n1234567.0;{GRANT}\n")
    ended = connect("--into=agreements.csv", typed="")
    assert ended.exit_code == 1
    assert "line 2: agreement_number must be a whole number" in ended.stderr
    assert "App secret" not in ended.stderr
    ended.keeps_secrets()


def test_at_a_terminal_export_lines_are_printed_unasked(connect: Connect) -> None:
    answers = [(SECRET_QUESTION, APP), ("Agreement grant token: ", GRANT)]
    ended = connect.at_a_terminal("--paste", answers=answers)
    assert ended.exit_code == 0, ended.stdout
    shown = ended.stdout.replace("\r", "")
    assert EXPORTED in shown
    assert CANARY not in shown.replace(EXPORTED, "")
    assert list(connect.folder.iterdir()) == []


def test_a_shell_takes_the_exported_lines(connect: Connect) -> None:
    connect.env["LINES_FROM"] = shlex.join(connect.command("--paste", "--export"))
    script = 'eval "$(eval "$LINES_FROM")"; echo "$TAP_VISMA_ECONOMIC_AGREEMENT_GRANT_TOKEN"'
    done = connect.run(["sh", "-c", script], f"{APP}\n{GRANT}\n")
    assert (done.exit_code, done.stdout) == (0, f"{GRANT}\n")


def test_settings_come_from_the_environment_and_from_env_files(connect: Connect) -> None:
    name = "TAP_VISMA_ECONOMIC_APP_SECRET_TOKEN"
    (connect.folder / ".env").write_text(f"{name}={APP}\n")
    assert connect.paste(GRANT, INTO, secret=None).exit_code == 0
    connect.env[name] = SECOND_SECRET
    assert connect.paste(GRANT, INTO, secret=None).exit_code == 1


def test_what_a_grant_may_not_read_is_told_with_the_reason(connect: Connect) -> None:
    whole = connect.sandbox.grants[GRANT]
    connect.sandbox.grants[GRANT] = replace(whole, modules=frozenset())
    ended = connect.paste(GRANT, INTO)
    assert ended.exit_code == 0
    assert re.search(r"streams +\d+ of 88 can be read", ended.stderr)
    assert "88 of 88" not in ended.stderr
    assert re.search(
        r"^  activities +no +module: Missing modules: Project$", ended.stderr, re.MULTILINE
    )
    assert " customers " not in ended.stderr, "what can be read is not listed"


@pytest.mark.parametrize("status", [206, 302])
def test_nothing_but_200_tells_who_it_is(connect: Connect, status: int) -> None:
    always(connect.sandbox, "/self", status, {"agreementNumber": NUMBER})
    ended = connect.paste(GRANT, INTO)
    assert ended.exit_code == 1
    assert f"e-conomic returned {status}" in ended.stderr
    assert list(connect.folder.iterdir()) == []


def test_a_fault_after_the_grant_is_stored_does_not_lose_it(connect: Connect) -> None:
    always(connect.sandbox, "/customers", 400)
    ended = connect.paste(GRANT, INTO)
    assert ended.exit_code == 0
    assert re.search(r"^  customers +failed +e-conomic returned 400", ended.stderr, re.MULTILINE)
    assert saved(connect) == [line_of(0, GRANT)]


@pytest.mark.parametrize(
    ("arguments", "typed", "code", "words"),
    [
        (["--export", INTO], "", 2, "Choose one of"),
        ([], "", 2, "Say where the tokens go"),
        (["--fill", "--export"], "", 2, "--fill needs a file"),
        ([INTO, "--paste", "--port=4000"], "", 2, "omit it"),
        ([INTO, "--app=two words"], "", 1, "Not an app's public token or installation URL"),
        ([INTO, "--paste"], "", 1, "App secret token (hidden) is required"),
        ([INTO, "--paste"], f"{APP}\ntwo words\n", 1, "Not a token or a URL"),
        ([INTO, "--paste"], f"{APP} {APP}\n", 1, "Not a valid token"),
        ([INTO, "--paste"], f"{APP}\nhttp://127.0.0.1:1/x\n", 3, "Access was not granted"),
    ],
)
def test_a_mistake_is_said_in_one_line(
    connect: Connect, arguments: list[str], typed: str, code: int, words: str
) -> None:
    ended = connect(*arguments, typed=typed)
    assert ended.exit_code == code
    assert words in ended.stderr
    ended.keeps_secrets()


def test_at_a_terminal_secrets_are_not_shown_and_a_slip_can_be_mended(connect: Connect) -> None:
    public = f"--app={APP_PUBLIC_TOKEN}"
    ended = connect.at_a_terminal(
        "--paste",
        INTO,
        public,
        answers=[
            (SECRET_QUESTION, SECOND_SECRET),
            ("Agreement grant token: ", GRANT),
            (SECRET_QUESTION, APP),
        ],
    )
    assert ended.exit_code == 0, ended.stdout
    assert "Check the app secret token." in ended.stdout
    assert saved(connect) == [line_of(0, GRANT)]
    ended.keeps_secrets()
