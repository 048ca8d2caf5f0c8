"""The way from no token to a tested grant, on the command line; `test_connect_browser` has one."""

from __future__ import annotations

import contextlib
import io
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
import segno

from tests.connecting import Connect, settings_in
from tests.sandbox.approval import APP_PUBLIC_TOKEN
from tests.support import APP, CANARY, GRANT, GRANT_2, GRANT_3, NUMBER, canary_sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.conftest import TapRunner
    from tests.sandbox import Sandbox
    from tests.sandbox.faults import Fault

SECRET_NAME = "TAP_VISMA_ECONOMIC_APP_SECRET_TOKEN"
GRANT_NAME = "TAP_VISMA_ECONOMIC_AGREEMENT_GRANT_TOKEN"
LIST_NAME = "TAP_VISMA_ECONOMIC_AGREEMENTS"
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


def config_in(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "config.json").read_text())
    return found


def test_from_no_token_to_a_stored_grant(connect: Connect) -> None:
    with connect.waiting("--no-browser") as running:
        page = approve(running.url, 0)
        ended = running.wait()
    assert ended.exit_code == 0, ended.stderr
    assert "Firma 0 is connected" in page.text
    assert page.url == f"{running.redirect_url}/done"
    assert f"It works: Firma 0, agreement {NUMBER}." in ended.stderr
    assert "The app is Warehouse sync, with the role SuperUser." in ended.stderr
    assert "It may read 88 of 88 streams." in ended.stderr
    path = connect.folder / ".env"
    assert settings_in(path) == {SECRET_NAME: APP, GRANT_NAME: GRANT}
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert ended.stdout == ""
    ended.keeps_secrets()


def test_the_tap_runs_with_what_was_stored_for_three_companies(
    connect: Connect, warm_tap: TapRunner
) -> None:
    path = connect.folder / "config.json"
    urls = {"rest_url": connect.sandbox.url, "openapi_url": connect.sandbox.url}
    path.write_text(json.dumps(urls))
    for place, secret in enumerate([APP, None, None]):
        with connect.waiting("--config-file=config.json", "--no-browser", secret=secret) as running:
            approve(running.url, place)
            ended = running.wait()
        assert ended.exit_code == 0, ended.stderr
        ended.keeps_secrets()
    assert config_in(connect.folder) == {
        **urls,
        "app_secret_token": APP,
        "agreement_grant_token": GRANT,
        "agreements": [{"agreement_grant_token": GRANT_2}, {"agreement_grant_token": GRANT_3}],
    }
    run = warm_tap(config_in(connect.folder), catalog=warm_tap.catalog_of("agreements"))
    numbers = [row["agreementNumber"] for row in run.records["agreements"]]
    assert numbers == [NUMBER, NUMBER + 1, NUMBER + 2]


def test_whoever_cancels_gives_no_access(connect: Connect) -> None:
    with connect.waiting("--no-browser") as running:
        page = approve(running.url, None)
        ended = running.wait()
    assert ended.exit_code == 3
    assert "Access was not given" in ended.stderr
    assert "Not connected" in page.text
    assert not (connect.folder / ".env").exists()


def test_nobody_coming_back_ends_in_time(connect: Connect) -> None:
    begun = time.monotonic()
    with connect.waiting("--no-browser", "--timeout=1") as running:
        ended = running.wait()
    assert ended.exit_code == 4
    assert "Nobody came back from e-conomic in 1 seconds" in ended.stderr
    assert time.monotonic() - begun < 30
    assert not (connect.folder / ".env").exists()


def test_ctrl_c_ends_the_wait(connect: Connect) -> None:
    with connect.waiting("--no-browser") as running:
        running.interrupt()
        ended = running.wait()
    assert ended.exit_code == 130
    assert ended.stderr.endswith("Stopped.\n")
    assert "Traceback" not in ended.stderr


def test_ctrl_c_at_a_question_stores_nothing(connect: Connect) -> None:
    for questions in (
        [("App secret token (it is not shown): ", "\x03")],
        [("App secret token (it is not shown): ", APP), ("Agreement grant token: ", "\x03")],
    ):
        ended = connect.at_a_terminal("--paste", answers=questions)
        assert ended.exit_code == 130, ended.stdout
        assert ended.stdout.endswith("Stopped.\n")
        assert list(connect.folder.iterdir()) == []
        ended.keeps_secrets()


def test_ctrl_c_while_the_grant_is_checked_stores_nothing(connect: Connect) -> None:
    asked = connect.sandbox.faults.add("/self", "delay", seconds=30, times=None)

    def visit(url: str) -> None:
        with contextlib.suppress(requests.ConnectionError):  # its page never comes
            approve(url, 0)

    with connect.waiting("--no-browser") as running:
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
    with connect.waiting("--no-browser") as running:
        approve(running.url, 0)
        until_it_strikes(asked)
        begun = time.monotonic()
        running.interrupt()
        ended = running.wait()
    assert ended.exit_code == 130, ended.stderr
    assert time.monotonic() - begun < 20, "the answer on its way is not waited for"
    assert "Written to .env." in ended.stderr
    assert settings_in(connect.folder / ".env") == {SECRET_NAME: APP, GRANT_NAME: GRANT}
    ended.keeps_secrets()


@pytest.mark.parametrize("store", ["--env-file=.env", "--config-file=config.json"])
def test_two_companies_whose_browsers_come_back_at_once_are_both_stored(
    connect: Connect, three: Sandbox, store: str
) -> None:
    assert connect.paste(GRANT, store).exit_code == 0
    # Between reading what is stored and writing it each asks whose grant is there.
    three.faults.add("/self", "delay", seconds=0.5, times=None)
    options = ("--no-browser", store)
    with (
        connect.waiting(*options, secret=None) as second,
        connect.waiting(*options, secret=None) as third,
    ):
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
    if store.endswith("json"):
        held = config_in(connect.folder)["agreements"]
    else:
        held = json.loads(settings_in(connect.folder / ".env")[LIST_NAME])
    assert {item["agreement_grant_token"] for item in held} == {GRANT_2, GRANT_3}


def test_two_companies_connected_at_the_same_time_are_both_stored(connect: Connect) -> None:
    with (
        connect.waiting("--no-browser") as first,
        connect.waiting("--no-browser") as second,
    ):
        approve(second.url, 1)
        assert second.wait().exit_code == 0
        approve(first.url, 0)
        assert first.wait().exit_code == 0
    stored = settings_in(connect.folder / ".env")
    assert stored[GRANT_NAME] == GRANT_2
    assert json.loads(stored["TAP_VISMA_ECONOMIC_AGREEMENTS"]) == [{"agreement_grant_token": GRANT}]


def test_a_file_that_went_to_another_app_during_the_wait_is_left_alone(connect: Connect) -> None:
    with connect.waiting("--no-browser", "--config-file=config.json") as running:
        path = connect.folder / "config.json"
        path.write_text(json.dumps({"app_secret_token": "of-another-app"}))
        page = approve(running.url, 0)
        ended = running.wait()
    assert ended.exit_code == 1
    assert "another app" in ended.stderr
    assert "Not connected" in page.text
    assert config_in(connect.folder) == {"app_secret_token": "of-another-app"}
    ended.keeps_secrets()


def test_where_nothing_can_be_stored_nobody_is_asked_for_anything(connect: Connect) -> None:
    ended = connect("--no-browser", "--env-file=no/such/.env")
    assert ended.exit_code == 1
    assert ended.stderr == "Error: no/such/.env cannot be written: No such file or directory\n"


@pytest.mark.parametrize("app", [APP, f"https://secure.e-conomic.com/x?appPublicToken={APP}"])
def test_a_secret_token_in_place_of_the_public_one_is_neither_shown_nor_opened(
    connect: Connect, app: str
) -> None:
    command = [*connect.command()[:-1], "--paste"]
    done = connect.run(command, f"{app}\n{APP}\n{GRANT}\n")
    assert done.exit_code == 1
    assert "secret token stands where its public token belongs" in done.stderr
    assert CANARY not in done.stdout + done.stderr


def test_a_port_that_is_taken_is_said_before_anything_is_opened(connect: Connect) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = connect(f"--port={port}")
    assert ended.exit_code == 1
    assert f"Cannot listen on port {port} of this machine: Address already in use" in ended.stderr
    assert "http" not in ended.stderr
    ended.keeps_secrets()


def test_the_browser_is_opened_at_the_address_that_is_shown(connect: Connect) -> None:
    script = connect.folder / "browser.py"
    script.write_text("import pathlib, sys; pathlib.Path('opened').write_text(sys.argv[1])")
    with connect.waiting(BROWSER=f"{sys.executable} {script} %s") as running:
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
    with connect.waiting("--stdout", BROWSER=f"{script} %s &") as running:
        approve(running.url, 0)
        ended = running.wait()
    assert (ended.exit_code, ended.stdout) == (0, f"{GRANT}\n"), ended.stderr
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
    line = f"{shlex.join(connect.command('--paste', '--stdout'))} {redirection}"
    done = connect.run(["sh", "-c", line], f"{APP}\n{GRANT}\n")
    assert done.exit_code == code
    assert done.stderr.endswith(words)
    assert "Traceback" not in done.stderr
    assert CANARY not in done.stderr
    assert done.stdout == ("" if code else f"{GRANT}\n")


def test_without_a_screen_the_token_comes_by_hand(connect: Connect) -> None:
    ended = connect(typed=f"{APP}\n{GRANT}\n")
    assert ended.exit_code == 0, ended.stderr
    assert "There is no browser to open on this machine" in ended.stderr
    assert "redirectUrl" not in ended.stderr
    assert settings_in(connect.folder / ".env")[GRANT_NAME] == GRANT
    ended.keeps_secrets()


def test_a_port_that_is_given_is_listened_on_without_a_screen_too(connect: Connect) -> None:
    with connect.waiting("--port=47321") as running:
        assert running.redirect_url.startswith("http://127.0.0.1:47321/")
        approve(running.url, 0)
        assert running.wait().exit_code == 0


def test_the_whole_address_may_be_pasted(connect: Connect) -> None:
    ended = connect.paste(f"http://127.0.0.1:1/x?token={GRANT}", "--stdout")
    assert (ended.exit_code, ended.stdout) == (0, f"{GRANT}\n")
    assert CANARY not in ended.stderr
    assert list(connect.folder.iterdir()) == []


def test_a_pasted_address_without_a_token_means_no_access(connect: Connect) -> None:
    assert connect.paste("http://127.0.0.1:1/x").exit_code == 3


def test_a_wrong_app_secret_is_said(connect: Connect) -> None:
    with connect.waiting("--no-browser", secret=SECOND_SECRET) as running:
        page = approve(running.url, 0)
        ended = running.wait()
    assert ended.exit_code == 1
    for told in (ended.stderr, page.text):
        assert "belongs to another app than the public token" in told
    assert "Not connected" in page.text
    assert CANARY not in page.text
    assert not (connect.folder / ".env").exists()
    ended.keeps_secrets()


def test_a_revoked_grant_is_said(connect: Connect) -> None:
    connect.sandbox.revoke(GRANT)
    ended = connect.paste(GRANT)
    assert ended.exit_code == 1
    assert "may have been revoked" in ended.stderr
    ended.keeps_secrets()


def test_a_company_that_is_there_is_not_stored_twice(connect: Connect) -> None:
    assert connect.paste(GRANT, "--config-file=config.json").exit_code == 0
    before = (connect.folder / "config.json").read_bytes()
    connect.sandbox.grants[CANARY + "new"] = connect.sandbox.grants[GRANT]
    for token in (GRANT, CANARY + "new"):
        ended = connect.paste(token, "--config-file=config.json", secret=None)
        assert ended.exit_code == 0
        assert (
            f"Firma 0, agreement {NUMBER} is in config.json already, as agreement_grant_token"
            in ended.stderr
        )
        assert "Nothing was changed." in ended.stderr
        assert (connect.folder / "config.json").read_bytes() == before
        ended.keeps_secrets()


def test_stored_grants_that_are_refused_are_named_and_taken_out_on_request(
    connect: Connect,
) -> None:
    for token, secret in ((GRANT, APP), (GRANT_2, None)):
        assert connect.paste(token, "--config-file=config.json", secret=secret).exit_code == 0
    connect.sandbox.revoke(GRANT_2)
    ended = connect.paste(GRANT_3, "--config-file=config.json", secret=None)
    assert ended.exit_code == 0
    assert "agreements no. 1 in config.json: e-conomic refuses it" in ended.stderr
    assert "--remove-refused takes it out" in ended.stderr
    stored = [{"agreement_grant_token": token} for token in (GRANT_2, GRANT_3)]
    assert config_in(connect.folder)["agreements"] == stored
    ended = connect.paste(GRANT_3, "--config-file=config.json", "--remove-refused", secret=None)
    assert ended.exit_code == 0
    assert config_in(connect.folder) == {
        "app_secret_token": APP,
        "agreement_grant_token": GRANT,
        "agreements": stored[1:],
    }
    ended.keeps_secrets()


def test_a_revoked_only_grant_makes_way_for_the_new_one(connect: Connect) -> None:
    assert connect.paste(GRANT).exit_code == 0
    connect.sandbox.revoke(GRANT)
    connect.sandbox.grants[CANARY + "new"] = connect.sandbox.grants[GRANT]
    assert connect.paste(CANARY + "new", "--remove-refused", secret=None).exit_code == 0
    assert settings_in(connect.folder / ".env") == {SECRET_NAME: APP, GRANT_NAME: CANARY + "new"}


def test_what_a_grant_may_not_read_is_told_with_the_reason(connect: Connect) -> None:
    whole = connect.sandbox.grants[GRANT]
    connect.sandbox.grants[GRANT] = replace(whole, modules=frozenset())
    ended = connect.paste(GRANT)
    assert ended.exit_code == 0
    told = " ".join(ended.stderr.split())
    assert re.search(r"It may read \d+ of 88 streams", told)
    assert "It may read 88 of 88" not in told
    assert "Missing modules: Project): activities, activity_groups, cost_type_groups" in told


@pytest.mark.parametrize("status", [206, 302, 304])
def test_nothing_but_200_tells_who_it_is(connect: Connect, status: int) -> None:
    who = json.dumps({"agreementNumber": NUMBER}).encode()
    connect.sandbox.faults.add("/self", "status", status=status, body=who, times=None)
    ended = connect.paste(GRANT, "--config-file=config.json")
    assert ended.exit_code == 1
    assert f"e-conomic returned {status}" in ended.stderr
    assert list(connect.folder.iterdir()) == []


def test_a_fault_after_the_grant_is_stored_does_not_lose_it(connect: Connect) -> None:
    connect.sandbox.faults.add("/customers", "status", status=400, times=None)
    ended = connect.paste(GRANT)
    assert ended.exit_code == 0
    assert "Could not be asked" in ended.stderr
    assert settings_in(connect.folder / ".env")[GRANT_NAME] == GRANT


@pytest.mark.parametrize(
    ("arguments", "typed", "code", "words"),
    [
        (["--stdout", "--env-file=x"], "", 2, "Choose one of"),
        (["--paste", "--port=4000"], "", 2, "leave out --port"),
        (["--locale=fr-FR"], "", 2, "is not one of"),
        (["--app=two words"], "", 1, "neither an app's public token nor its installation URL"),
        (["--paste"], "", 1, "App secret token (it is not shown): not given"),
        (["--paste"], f"{APP}\ntwo words\n", 1, "neither a token nor an address"),
        (["--paste"], f"{APP} {APP}\n", 1, "That is not a token"),
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
        public,
        answers=[
            ("App secret token (it is not shown): ", SECOND_SECRET),
            ("Agreement grant token: ", GRANT),
            ("App secret token (it is not shown): ", APP),
        ],
    )
    assert ended.exit_code == 0, ended.stdout
    assert "Check the app secret token." in ended.stdout
    assert settings_in(connect.folder / ".env") == {SECRET_NAME: APP, GRANT_NAME: GRANT}
    ended.keeps_secrets()


def test_at_a_terminal_the_address_is_a_qr_code_too(connect: Connect) -> None:
    ended = connect.at_a_terminal(
        "--paste",
        answers=[("App secret token (it is not shown): ", APP), ("Agreement grant token: ", GRANT)],
    )
    [url] = re.findall(r"^  (http\S+)$", ended.stdout, re.MULTILINE)
    drawn = io.StringIO()
    segno.make(url, error="l").terminal(out=drawn, compact=True)
    assert drawn.getvalue().splitlines() == [
        line for line in ended.stdout.splitlines() if line in drawn.getvalue().splitlines() and line
    ]
