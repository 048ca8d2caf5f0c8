"""The commands that register webhooks in e-conomic, and look after them, against the sandbox."""

from __future__ import annotations

import contextlib
import json
import re
import signal
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tap_visma_economic.errors import NetworkError
from tap_visma_economic.tap import TapVismaEconomic
from tap_visma_economic.webhooks.inbox import Inbox
from tests import receiving, warm
from tests.conftest import OLD_PYTHON, clean_environment, settings_for
from tests.connecting import Ended
from tests.receiving import COMMAND, Receiving
from tests.sandbox import Grant
from tests.sandbox.company import build_company
from tests.sandbox.deliveries import Deliveries
from tests.sandbox.webhooks import EVENT_TYPES, LISTING
from tests.support import (
    APP,
    CANARY,
    GRANT,
    GRANT_2,
    GRANT_3,
    NUMBER,
    Altered,
    canary_sandbox,
    small_grants,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.conftest import TapRunner
    from tests.sandbox import Request, Sandbox

SECRET = f"{CANARY}secret-of-the-receiver-Tz61"
OLD_SECRET = f"{CANARY}secret-before-it-was-replaced"
BASE = "https://hooks.example.dk/economic"
URL = f"--url={BASE}"
EVENTS = [
    "CUSTOMER_UPDATED",
    "INVOICE_BOOKED",
    "JOURNAL_BOOKED",
    "ORDER_UPDATED",
    "PRODUCT_UPDATED",
    "PROJECT_UPDATED",
    "QUOTE_UPDATED",
    "SUPPLIER_UPDATED",
]
INVOICE = "--event=INVOICE_BOOKED"
PATH = "/webhooksapi/v1.0.0/webhooks"


class Webhooks:
    """The command line, with the settings of some companies in the environment."""

    def __init__(self, folder: Path, sandbox: Sandbox, *grants: str) -> None:
        self.folder, self.sandbox = folder, sandbox
        settings = settings_for(sandbox, *grants, max_wait_minutes=0.2)
        if "agreements" not in settings:
            settings["agreements"] = [
                {"agreement_grant_token": settings.pop("agreement_grant_token")}
            ]
        self.env = {
            **clean_environment(),
            "TAP_VISMA_ECONOMIC_WEBHOOK_SECRET": SECRET,
            **{
                f"TAP_VISMA_ECONOMIC_{name.upper()}": value
                if isinstance(value, str)
                else json.dumps(value)
                for name, value in settings.items()
            },
        }

    def __call__(self, *arguments: str, **env: str) -> Ended:
        """Run a command to its end. No secret may be in what it prints."""
        self.sandbox.log.clear()
        code, out, err = warm.run(
            arguments,
            env={**self.env, **env},
            folder=self.folder,
            timeout=120,
            program=Path(COMMAND).name,
        )
        return self.ended(code, out.decode(), OLD_PYTHON.sub("", err.decode()))

    def ended(self, code: int, out: str, err: str) -> Ended:
        ended = Ended(code, out, err)
        ended.keeps_secrets()
        assert not re.search("[0-9a-f]{64}", out + err), "a signature"
        return ended

    def start(self, *arguments: str, **env: str) -> subprocess.Popen[str]:
        """Start the installed console script."""
        return subprocess.Popen(
            [COMMAND, *arguments],
            env={**self.env, **env},
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def writes(self) -> list[Request]:
        """The requests of the last command that would change something."""
        return [seen for seen in self.sandbox.log if seen.method != "GET"]


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """Three companies without webhooks."""
    grants = small_grants()
    for grant in grants.values():
        hooks_of(grant).clear()
    with canary_sandbox(grants) as running:
        yield running


@pytest.fixture
def webhooks(tmp_path: Path, sandbox: Sandbox) -> Webhooks:
    """The command line for one of them."""
    return Webhooks(tmp_path, sandbox, GRANT)


def hooks_of(grant: Grant) -> list[dict[str, Any]]:
    """The webhooks of a company, as its books have them."""
    rows: Any = grant.company.rows(LISTING)
    assert isinstance(rows, list)
    return rows


def hook_of(sandbox: Sandbox, event: str, grant: str = GRANT) -> dict[str, Any]:
    return next(row for row in hooks_of(sandbox.grants[grant]) if row["eventType"] == event)


def signed(number: int) -> str:
    return receiving.signed(number, SECRET)


def foreign(url: str, event: str = "INVOICE_BOOKED", **more: Any) -> dict[str, Any]:
    """A webhook that the same app has made for another receiver."""
    return {
        "eventType": event,
        "name": "Andet",
        "url": url,
        "contentType": "application/json",
        "postData": "{}",
        "customHeaders": [{"key": "Authorization", "value": f"Bearer {CANARY}1"}],
        "objectVersion": "1",
        **more,
    }


# register


def test_each_event_of_each_company_is_registered_once(tmp_path: Path, sandbox: Sandbox) -> None:
    webhooks = Webhooks(tmp_path, sandbox, GRANT, GRANT_2)
    first = webhooks("register", URL)
    assert first.exit_code == 0, first.stderr
    assert f"agreement {NUMBER} (Firma 0): registered: {', '.join(EVENTS)}\n" in first.stdout
    assert first.stdout.endswith("2 companies: 16 registered\n")
    for grant, number in ((GRANT, NUMBER), (GRANT_2, NUMBER + 1)):
        assert sorted(row["eventType"] for row in hooks_of(sandbox.grants[grant])) == EVENTS
        hook = hook_of(sandbox, "JOURNAL_BOOKED", grant)
        assert hook["url"] == f"{BASE}/{number}/JOURNAL_BOOKED"
        assert hook["contentType"] == "text/plain"
        assert hook["postData"] == (
            "DAYBOOKNO=[DAYBOOKNO]\nFROMSERIALNO=[FROMSERIALNO]\nTOSERIALNO=[TOSERIALNO]"
        )
        assert hook["customHeaders"] == [{"key": "X-Webhook-Secret", "value": signed(number)}]
    keys = [seen.headers["idempotency-key"] for seen in webhooks.writes()]
    assert len(set(keys)) == len(keys) == 16
    assert [hook_of(sandbox, "INVOICE_BOOKED")["eventType"]] == ["INVOICE_BOOKED"]
    assert hooks_of(sandbox.grants[GRANT_3]) == [], "not in the settings"


def test_a_second_time_costs_one_call_a_company_and_writes_nothing(
    tmp_path: Path, sandbox: Sandbox
) -> None:
    lines = [
        json.dumps({"agreement_number": NUMBER + place, "agreement_grant_token": grant})
        for place, grant in enumerate((GRANT, GRANT_2, GRANT_3))
    ]
    lines.append(json.dumps({"agreement_grant_token": f"{CANARY}off", "enabled": False}))
    (tmp_path / "agreements.jsonl").write_text("\n".join(lines))
    settings = {**settings_for(sandbox, GRANT), "agreements_file": "agreements.jsonl"}
    del settings["agreement_grant_token"]
    (tmp_path / "config.json").write_text(json.dumps(settings))
    webhooks = Webhooks(tmp_path, sandbox, GRANT)
    webhooks.env = {**clean_environment(), "TAP_VISMA_ECONOMIC_WEBHOOK_SECRET": SECRET}
    assert webhooks("register", "--config=config.json", "--config=ENV", URL).exit_code == 0
    again = webhooks("register", "--config=config.json", URL)
    assert (again.exit_code, again.stdout) == (0, "3 companies: 24 unchanged\n")
    assert sorted(seen.path for seen in sandbox.log) == [
        "/webhooksapi/v1.0.0/EventTypes",
        *[PATH] * 3,
    ]


def test_settings_and_the_secret_may_be_in_a_env_file(webhooks: Webhooks) -> None:
    names = [name for name in webhooks.env if name.startswith("TAP_VISMA_ECONOMIC_")]
    lines = [f"{name}='{webhooks.env.pop(name)}'" for name in names]
    (webhooks.folder / ".env").write_text("\n".join(lines))
    assert webhooks("register", URL, INVOICE).stdout.endswith("1 company: 1 registered\n")


def test_a_number_that_is_not_the_grants_writes_nothing(tmp_path: Path, sandbox: Sandbox) -> None:
    line = {"agreement_number": NUMBER + 7, "agreement_grant_token": GRANT}
    (tmp_path / "agreements.jsonl").write_text(json.dumps(line))
    webhooks = Webhooks(tmp_path, sandbox, GRANT_2)
    del webhooks.env["TAP_VISMA_ECONOMIC_AGREEMENTS"]
    ended = webhooks("register", URL, TAP_VISMA_ECONOMIC_AGREEMENTS_FILE="agreements.jsonl")
    assert ended.exit_code == 1
    assert f"the grant is for agreement {NUMBER} (Firma 0), not for" in ended.stderr
    assert webhooks.writes() == []


def test_a_dry_run_writes_nothing(webhooks: Webhooks) -> None:
    ended = webhooks("register", URL, INVOICE, "--dry-run")
    assert ended.exit_code == 0
    assert ended.stdout == (
        f"agreement {NUMBER} (Firma 0): would be registered: INVOICE_BOOKED\n"
        "1 company: 1 would be registered. Nothing was written: this was a dry run\n"
    )
    assert webhooks.writes() == []


@pytest.mark.parametrize(
    "change",
    [
        {"url": f"{BASE}/9/INVOICE_BOOKED"},
        {"contentType": "application/json"},
        {"postData": '{"n": "[INVOICENO]"}'},
        {"postData": None},
        {"customHeaders": []},
        {"customHeaders": [{"key": "X-Webhook-Secret", "value": "0" * 64}]},
    ],
)
def test_only_what_differs_is_changed(
    webhooks: Webhooks, sandbox: Sandbox, change: dict[str, Any]
) -> None:
    webhooks("register", URL)
    right = dict(hook_of(sandbox, "INVOICE_BOOKED"))
    hook_of(sandbox, "INVOICE_BOOKED").update(change)
    checked = webhooks("check", URL)
    assert checked.exit_code == 1
    assert "INVOICE_BOOKED: registered with another " in checked.stderr
    ended = webhooks("register", URL)
    assert ended.stdout.endswith("1 company: 1 updated, 7 unchanged\n") or ended.stdout.endswith(
        "1 company: 7 unchanged, 1 updated\n"
    )
    (write,) = webhooks.writes()
    assert write.method == "PUT"
    after = hook_of(sandbox, "INVOICE_BOOKED")
    for name in ("url", "contentType", "postData", "customHeaders", "name"):
        assert after[name] == right[name]


@pytest.mark.parametrize(
    "change",
    [
        {"contentType": "text/plain; charset=utf-8"},
        {"postData": "INVOICENO=[INVOICENO]\r\n"},
        {"name": "Renamed in e-conomic"},
        {"customHeaders": [{"key": "x-webhook-secret", "value": signed(NUMBER)}]},
        {
            "customHeaders": [
                {"key": "X-Of-The-Proxy", "value": "1"},
                {"key": "X-Webhook-Secret", "value": signed(NUMBER)},
            ]
        },
    ],
)
def test_what_means_the_same_is_not_changed(
    webhooks: Webhooks, sandbox: Sandbox, change: dict[str, Any]
) -> None:
    webhooks("register", URL)
    hook_of(sandbox, "INVOICE_BOOKED").update(change)
    assert webhooks("check", URL).exit_code == 0
    assert webhooks("register", URL).exit_code == 0
    assert webhooks.writes() == []


def test_a_new_secret_replaces_the_old_one_in_every_webhook_of_ours(
    webhooks: Webhooks, sandbox: Sandbox
) -> None:
    """Also in those that `--event` does not name: the receiver will drop the old one."""
    assert webhooks("register", URL, TAP_VISMA_ECONOMIC_WEBHOOK_SECRET=OLD_SECRET).exit_code == 0
    extra = {"key": "X-Of-The-Proxy", "value": "1"}
    hook_of(sandbox, "ORDER_UPDATED")["customHeaders"].append(extra)
    ended = webhooks(
        "register", URL, INVOICE, TAP_VISMA_ECONOMIC_WEBHOOK_SECRET=f"{SECRET},{OLD_SECRET}"
    )
    assert ended.stdout.endswith("1 company: 8 updated\n")
    for event in EVENTS:
        (own, *others) = hook_of(sandbox, event)["customHeaders"]
        assert own["value"] == signed(NUMBER)
        assert others == ([extra] if event == "ORDER_UPDATED" else [])


def test_a_disabled_webhook_is_reported_and_enabled(webhooks: Webhooks, sandbox: Sandbox) -> None:
    webhooks("register", URL)
    sandbox.webhooks.disable(sandbox.grants[GRANT].company, "INVOICE_BOOKED")
    checked = webhooks("check", URL)
    assert checked.exit_code == 1
    assert re.search(r"INVOICE_BOOKED: disabled since 20\d\d-\S+, so e-conomic", checked.stderr)
    assert re.search(r"INVOICE_BOOKED  https://\S+  disabled since 20", webhooks("list").stdout)
    ended = webhooks("register", URL, "--event=order_updated")
    assert f"agreement {NUMBER} (Firma 0): enabled: INVOICE_BOOKED\n" in ended.stdout
    assert not hook_of(sandbox, "INVOICE_BOOKED").get("isDisabled")
    assert webhooks("check", URL).exit_code == 0


@pytest.mark.parametrize(
    "url",
    [
        f"https://user:{CANARY}pw@other.example.dk/x?key={CANARY}1",
        f"{BASE}-staging/1234567/INVOICE_BOOKED",
        f"{BASE}/staging/1234567/INVOICE_BOOKED",
        f"{BASE}/other/software",
        BASE,
        f"https://other.example.dk/{'a1' * 32}/1234567/INVOICE_BOOKED",
    ],
)
def test_a_webhook_of_another_deployment_stays_unless_it_is_taken_over(
    webhooks: Webhooks, sandbox: Sandbox, url: str
) -> None:
    other = foreign(url)
    hooks_of(sandbox.grants[GRANT]).append(other)
    ended = webhooks("register", URL)
    assert ended.exit_code == 1
    host = url.rsplit("@", maxsplit=1)[-1].split("/")[0 if "@" in url else 2]
    assert "INVOICE_BOOKED: held by another deployment of this app (https://" in ended.stderr
    assert host in ended.stderr
    assert hook_of(sandbox, "INVOICE_BOOKED") == foreign(url)
    assert ended.stdout.endswith("1 company: 7 registered\n"), "the others"
    assert webhooks("check", URL).exit_code == 1
    assert "1 would be taken over" in webhooks("register", URL, "--take-over", "--dry-run").stdout
    assert hook_of(sandbox, "INVOICE_BOOKED") == foreign(url)
    ended = webhooks("register", URL, "--take-over")
    assert ended.exit_code == 0, ended.stderr
    taken = hook_of(sandbox, "INVOICE_BOOKED")
    assert taken["url"] == f"{BASE}/{NUMBER}/INVOICE_BOOKED"
    assert [header["key"] for header in taken["customHeaders"]] == ["X-Webhook-Secret"], (
        "what the other receiver is sent is not sent to this one"
    )


def test_what_somebody_else_has_taken_is_named_and_the_rest_goes_on(
    webhooks: Webhooks, sandbox: Sandbox
) -> None:
    sandbox.webhooks.unlisted[NUMBER, "INVOICE_BOOKED"] = foreign("https://by.hand.dk/")
    ended = webhooks("register", URL, "--take-over")
    assert ended.exit_code == 1
    assert "INVOICE_BOOKED: taken, but not by this app: the webhook was set up by" in ended.stderr
    assert ended.stdout.endswith("1 company: 7 registered\n")
    assert ended.stderr.endswith("Incomplete: 1 problem, listed above\n")


def meanwhile(sandbox: Sandbox, times: int, change: Any) -> None:
    """Let something happen just before each of the first writes."""
    answer, left = sandbox.webhooks.answer, iter(range(times))

    def late(*arguments: Any) -> Any:
        if next(left, None) is not None:
            change()
        return answer(*arguments)

    sandbox.webhooks.answer = late  # type: ignore[method-assign,assignment]


@pytest.mark.parametrize(("times", "code"), [(1, 0), (2, 1)])
def test_a_conflict_is_tried_once_more(
    webhooks: Webhooks, sandbox: Sandbox, times: int, code: int
) -> None:
    webhooks("register", URL)
    hook = hook_of(sandbox, "INVOICE_BOOKED")
    hook["postData"] = "x"
    meanwhile(sandbox, times, lambda: hook.update(objectVersion=f"of somebody else {time.time()}"))
    ended = webhooks("register", URL)
    assert ended.exit_code == code, ended.stderr
    assert [seen.method for seen in webhooks.writes()] == ["PUT", "PUT"]
    one, two = (seen.headers["idempotency-key"] for seen in webhooks.writes())
    assert one != two, "the cache would repeat the conflict"
    if code:
        assert "INVOICE_BOOKED: it was changed by somebody else at the same time" in ended.stderr
    else:
        assert hook_of(sandbox, "INVOICE_BOOKED")["postData"] == "INVOICENO=[INVOICENO]"


def test_what_another_deployment_takes_meanwhile_stays_its(
    webhooks: Webhooks, sandbox: Sandbox
) -> None:
    other = foreign("https://other.example.dk/")
    meanwhile(sandbox, 1, lambda: hooks_of(sandbox.grants[GRANT]).append(other))
    ended = webhooks("register", URL, INVOICE)
    assert (ended.exit_code, hooks_of(sandbox.grants[GRANT])) == (1, [other])
    assert "held by another deployment" in ended.stderr


@pytest.mark.parametrize(
    ("fault", "how"),
    [
        ("reset", {}),
        ("close", {}),
        ("truncate", {}),
        ("html200", {}),
        ("status", {"status": 503}),
        ("status", {"status": 429, "retry_after": "1"}),
    ],
)
def test_a_write_is_repeated_under_its_key(
    webhooks: Webhooks, sandbox: Sandbox, fault: Any, how: dict[str, Any]
) -> None:
    """Whether it was done and its response was lost, or it was not done."""
    sandbox.faults.add(f"{PATH}$", fault, nth=2, **how)
    ended = webhooks("register", URL, INVOICE)
    assert ended.exit_code == 0, ended.stderr
    assert ended.stdout.endswith("1 company: 1 registered\n")
    first, second = webhooks.writes()
    assert first.headers["idempotency-key"] == second.headers["idempotency-key"]
    assert len(hooks_of(sandbox.grants[GRANT])) == 1


def test_a_company_that_fails_does_not_keep_the_others_from_it(
    tmp_path: Path, sandbox: Sandbox
) -> None:
    sandbox.grants[GRANT_2] = Grant(sandbox.grants[GRANT_2].company, role="Bookkeeping")
    sandbox.revoke(GRANT)
    ended = Webhooks(tmp_path, sandbox, GRANT, GRANT_2, GRANT_3)("register", URL)
    assert ended.exit_code == 1
    assert "agreements no. 1: e-conomic rejected the tokens (401)" in ended.stderr
    assert f"agreement {NUMBER + 1} (Firma 1): access denied (403)" in ended.stderr
    assert "Webhooks need an app with the role SuperUser" in ended.stderr
    assert ended.stdout.endswith("3 companies: 8 registered\n")
    assert len(hooks_of(sandbox.grants[GRANT_3])) == 8


def test_an_event_that_e_conomic_rejects_does_not_keep_the_others_from_it(
    webhooks: Webhooks, sandbox: Sandbox
) -> None:
    webhooks("register", URL, INVOICE)
    hook_of(sandbox, "INVOICE_BOOKED")["postData"] = "x"
    sandbox.webhooks.read_only.add((NUMBER, "INVOICE_BOOKED"))
    ended = webhooks("register", URL)
    assert ended.exit_code == 1
    assert "INVOICE_BOOKED: e-conomic returned 400 Bad Request for PUT " in ended.stderr
    assert "The webhook is read-only" in ended.stderr
    assert ended.stdout.endswith("1 company: 7 registered\n")


def test_events_that_would_make_a_run_read_everything_are_registered_by_name_only(
    tmp_path: Path, sandbox: Sandbox
) -> None:
    more = {"name": "EMPLOYEE_UPDATED", "mergeFields": [{"fieldName": "[NEWNUMBER]"}]}
    company = sandbox.grants[GRANT].company
    sandbox.grants[GRANT] = Grant(Altered(company, EVENT_TYPES, lambda rows: [*rows, more]))
    webhooks = Webhooks(tmp_path, sandbox, GRANT)
    ended = webhooks("register", URL)
    assert ended.stdout.startswith("Omitted: EMPLOYEE_UPDATED, because such events make a run")
    assert sorted(hook["eventType"] for hook in hooks_of(sandbox.grants[GRANT])) == EVENTS
    ended = webhooks("register", URL, "--event=employee_updated")
    assert "registered: EMPLOYEE_UPDATED" in ended.stdout
    assert hook_of(sandbox, "EMPLOYEE_UPDATED")["postData"] == "NEWNUMBER=[NEWNUMBER]"


def test_an_event_that_e_conomic_does_not_have_is_named(webhooks: Webhooks) -> None:
    ended = webhooks("register", URL, "--event=INVOICE_BOKED")
    assert ended.exit_code == 1
    assert "e-conomic has no event type INVOICE_BOKED. It has CUSTOMER_UPDATED, " in ended.stderr
    assert webhooks.writes() == []


@pytest.mark.parametrize(
    "url",
    [
        "http://hooks.example.dk",
        "hooks.example.dk",
        f"https://user:{CANARY}@hooks.example.dk",
        f"https://hooks.example.dk/?key={CANARY}",
        "https://hooks.example.dk/[INVOICENO]",
        "https://",
    ],
)
@pytest.mark.parametrize("command", ["register", "check", "remove"])
def test_a_url_that_cannot_work_is_rejected(webhooks: Webhooks, command: str, url: str) -> None:
    ended = webhooks(command, "--url", url)
    assert (ended.exit_code, webhooks.sandbox.log) == (2, [])
    assert "It must be an https URL without login, query or fragment" in ended.stderr


@pytest.mark.parametrize("secret", ["", "short", f"{SECRET},{OLD_SECRET},{SECRET}3"])
def test_a_secret_that_cannot_work_writes_nothing(webhooks: Webhooks, secret: str) -> None:
    ended = webhooks("register", URL, TAP_VISMA_ECONOMIC_WEBHOOK_SECRET=secret)
    assert (ended.exit_code, webhooks.sandbox.log) == (1, [])
    assert "TAP_VISMA_ECONOMIC_WEBHOOK_SECRET " in ended.stderr


# list, check, remove


def test_the_list_has_every_webhook_of_the_app_and_no_secret(
    tmp_path: Path, sandbox: Sandbox
) -> None:
    webhooks = Webhooks(tmp_path, sandbox, GRANT, GRANT_2)
    webhooks("register", URL, INVOICE)
    hooks_of(sandbox.grants[GRANT_2]).append(
        foreign(f"https://u:{CANARY}1@other.dk/in?key={CANARY}2", "ORDER_UPDATED", isDisabled=True)
    )
    ended = webhooks("list")
    assert ended.exit_code == 0
    assert ended.stdout == (
        f"agreement {NUMBER} (Firma 0): INVOICE_BOOKED  {BASE}/{NUMBER}/INVOICE_BOOKED  enabled\n"
        f"agreement {NUMBER + 1} (Firma 1): INVOICE_BOOKED  "
        f"{BASE}/{NUMBER + 1}/INVOICE_BOOKED  enabled\n"
        f"agreement {NUMBER + 1} (Firma 1): ORDER_UPDATED  https://other.dk/***  disabled\n"
        "2 companies: 3 listed\n"
    )
    assert webhooks.writes() == []


def test_what_is_missing_is_reported(webhooks: Webhooks) -> None:
    webhooks("register", URL, INVOICE)
    assert webhooks("check", URL, INVOICE).exit_code == 0
    ended = webhooks("check", URL)
    assert ended.exit_code == 1
    assert ended.stderr.count(": not registered\n") == 7
    assert webhooks.writes() == []


def test_removing_removes_ours_and_only_when_confirmed(
    webhooks: Webhooks, sandbox: Sandbox
) -> None:
    webhooks("register", URL)
    other = foreign(f"{BASE}/staging/1234567/INVOICE_BOOKED")
    hooks_of(sandbox.grants[GRANT])[1] = other
    ended = webhooks("remove", URL)
    assert ended.stdout.endswith(
        "1 company: 7 would be removed. Nothing was removed: add --yes to do so\n"
    )
    assert webhooks.writes() == []
    ended = webhooks("remove", URL, "--yes", "--event=order_updated")
    assert ended.stdout.endswith("1 company: 1 removed\n")
    sandbox.faults.add("/webhooks/", "reset")  # done, and its response lost
    ended = webhooks("remove", URL, "--yes")
    assert (ended.exit_code, ended.stdout.endswith("1 company: 6 removed\n")) == (0, True)
    assert hooks_of(sandbox.grants[GRANT]) == [other]
    assert webhooks("remove", URL, "--yes").stdout == "1 company: no webhooks\n"


# Many companies, and an end in between


def many(count: int) -> dict[str, Grant]:
    grants = {
        f"{CANARY}{place}": Grant(build_company(place, f"Firma {place}", seed=place, entries=60))
        for place in range(1, count + 1)
    }
    for grant in grants.values():
        hooks_of(grant).clear()
    return grants


def at_once(seen: Sequence[Request]) -> int:
    """How many requests were in flight at the same time, at most."""
    ends = sorted([(one.started, 1) for one in seen] + [(one.ended or 0.0, -1) for one in seen])
    flying = most = 0
    for _, step in ends:
        flying += step
        most = max(most, flying)
    return most


def test_sixteen_companies_are_registered_at_a_time(tmp_path: Path) -> None:
    with canary_sandbox(many(24), latency=0.2) as sandbox:
        ended = Webhooks(tmp_path, sandbox, *sandbox.grants)("register", URL, INVOICE)
        assert ended.stdout.endswith("24 companies: 24 registered\n"), ended.stderr
        assert 10 < at_once(sandbox.log) <= 16
        for grant in sandbox.grants:
            assert at_once([seen for seen in sandbox.log if seen.grant == grant]) == 1


def _result(started: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = started.communicate(timeout=120)
    return started.returncode, out, OLD_PYTHON.sub("", err)


def test_what_was_interrupted_is_continued(tmp_path: Path) -> None:
    with canary_sandbox(many(20), latency=0.1) as sandbox:
        webhooks = Webhooks(tmp_path, sandbox, *sandbox.grants)
        started = webhooks.start("register", URL)
        while len(webhooks.writes()) < 20:
            time.sleep(0.02)
        started.send_signal(signal.SIGINT)
        ended = webhooks.ended(*_result(started))
        assert (ended.exit_code, ended.stderr) == (
            130,
            "Stopped. Run the command again to continue\n",
        )
        done = sum(len(hooks_of(grant)) for grant in sandbox.grants.values())
        assert 0 < done < 160
        ended = webhooks("register", URL)
        assert ended.exit_code == 0, ended.stderr
        assert len(webhooks.writes()) == 160 - sum(
            int(count) for count in re.findall(r"(\d+) unchanged", ended.stdout)
        )
        assert len(webhooks.writes()) <= 160 - done
        assert webhooks("check", URL).exit_code == 0


def test_what_is_registered_fires_into_the_inbox(tmp_path: Path, sandbox: Sandbox) -> None:
    """From e-conomic's events, in the template's form, through the receiver."""
    assert Webhooks(tmp_path, sandbox, GRANT, GRANT_2)("register", URL).exit_code == 0
    company: Any = sandbox.grants[GRANT].company
    url = f"sqlite:///{tmp_path}/inbox.db"
    with Receiving(url, secret=SECRET) as receiver:
        routes = {BASE: f"http://127.0.0.1:{receiver.port}"}
        deliveries = Deliveries(sandbox.webhooks, routes)
        deliveries.watch(company)
        customer, product = company.world.customers[0].number, company.world.products[0].number
        number = company.sell(customer, product)
        order = company.draft("orders", customer, product)
        company.tell("PRODUCT_UPDATED", OLDNUMBER="A&B=1", NEWNUMBER='"0012" [x]')
        deliveries.deliver()
        assert [one.statuses for one in deliveries.done] == [[200]] * 3
        (header,) = hook_of(sandbox, "INVOICE_BOOKED")["customHeaders"]
        header["value"] = signed(NUMBER + 1)
        company.sell(customer, product)
        assert [one.statuses for one in deliveries.deliver()] == [[404]]
    inbox = Inbox(url)
    events = inbox.unread(dict.fromkeys(inbox.agreements(), 0), inbox.end())
    assert [(event.name, dict(event.numbers)) for event in events[NUMBER]] == [
        ("INVOICE_BOOKED", {"invoiceno": number}),
        ("ORDER_UPDATED", {"oldnumber": order, "newnumber": order}),
        ("PRODUCT_UPDATED", {"oldnumber": "A&B=1", "newnumber": '"0012" [x]'}),
    ]


# Secrets


def test_no_token_secret_or_signature_is_shown_whatever_goes_wrong(
    tmp_path: Path, sandbox: Sandbox
) -> None:
    webhooks = Webhooks(tmp_path, sandbox, GRANT, GRANT_2, GRANT_3)
    webhooks.env["TAP_VISMA_ECONOMIC_LOGLEVEL"] = "DEBUG"
    webhooks.env["PYTHONDEVMODE"] = "1"
    signature = signed(NUMBER)
    echoes = {
        GRANT: f"Bad header {signature} {APP} {GRANT}",
        GRANT_2: "x" * 270 + f" {signature} {GRANT_2}",
        GRANT_3: f"https://x/{signature.upper()}/1 {APP}",
    }
    for grant, text in echoes.items():
        body = json.dumps({"title": text, "errorCode": "X", "traceId": signature}).encode()
        sandbox.faults.add(f"{PATH}$", "status", nth=2, times=3, status=400, body=body, grant=grant)
    escaped = f'{{"detail": "[{{\\u0022value\\u0022:\\u0022{signature}\\u0022}}]", "logId": "1"}}'
    sandbox.faults.add(f"{PATH}$", "status", nth=2, status=503, body=escaped.encode(), grant=GRANT)
    hooks_of(sandbox.grants[GRANT]).append(foreign(f"https://a.dk/{APP}/{GRANT_2}/{signature}"))
    ended = webhooks("register", URL)
    assert "Retrying in" in ended.stderr
    assert ended.exit_code == 1
    assert ended.stderr.count("e-conomic returned 400 Bad Request for POST") == 9
    assert "(a token)" in ended.stderr
    assert signature[:20] not in (ended.stdout + ended.stderr).lower()


# The tap itself


def test_the_tap_cannot_write(sandbox: Sandbox) -> None:
    """What sends its requests sends GET alone, unless it is told otherwise."""
    tap = TapVismaEconomic(config=settings_for(sandbox, GRANT))
    transport = tap.shared.transport
    for method in ("POST", "PUT", "DELETE", "PATCH"):
        with pytest.raises(RuntimeError, match="would write to e-conomic"):
            transport.send(transport.prepare(method, sandbox.url + PATH, data="{}"))
    assert sandbox.log == []


@pytest.mark.parametrize(("headers", "times"), [({}, 1), ({"Idempotency-Key": "k"}, 3)])
def test_a_write_is_repeated_only_with_a_key(
    sandbox: Sandbox, headers: dict[str, str], times: int
) -> None:
    run = TapVismaEconomic(config=settings_for(sandbox, GRANT, max_wait_minutes=0.2)).shared
    run.transport.writes = True
    http = run.agreement_of(run.grants[0]).http
    request = run.transport.prepare(
        "POST", sandbox.url + PATH, data="{}", headers=headers, auth=http.authenticator
    )
    sandbox.log.clear()
    sandbox.faults.add(PATH, "close", times=2)
    with contextlib.suppress(NetworkError):
        http.send(request, lambda response: response, what="webhooks")
    assert len(sandbox.log) == times


@pytest.mark.parametrize("inbox", [True, False])
def test_a_complete_run_reports_a_disabled_webhook_of_its_inbox(
    tmp_path: Path, warm_tap: TapRunner, sandbox: Sandbox, inbox: bool
) -> None:
    Webhooks(tmp_path, sandbox, GRANT)("register", URL)
    hooks_of(sandbox.grants[GRANT])[3] = foreign("https://a.dk/", EVENTS[3], isDisabled=True)
    sandbox.webhooks.disable(sandbox.grants[GRANT].company, "INVOICE_BOOKED")
    url = f"sqlite:///{tmp_path}/inbox.db"
    Inbox(url, create=True)
    more = {"events_inbox": url} if inbox else {}
    sandbox.log.clear()
    run = warm_tap(
        settings_for(sandbox, GRANT, **more),
        catalog=warm_tap.catalog_of("webhooks"),
        env={"TAP_VISMA_ECONOMIC_WEBHOOK_SECRET": SECRET},
    )
    assert run.exit_code == 0, run.stderr
    told = [line for line in run.warnings if "is disabled in e-conomic" in line]
    assert len(told) == inbox
    for line in told:
        assert f"agreement {NUMBER} (Firma 0): the webhook INVOICE_BOOKED is disabled" in line
    assert {seen.method for seen in sandbox.log} == {"GET"}
    assert CANARY not in run.stderr
    assert signed(NUMBER) not in run.stderr + str(run.messages)
