"""Errors that are not e-conomic's: a gateway's word says nothing of tokens, roles or rows."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.conftest import settings_for
from tests.support import GRANT, GRANT_2, NUMBER, canary_sandbox, keeps_secrets, small_grants
from tests.test_access import told

if TYPE_CHECKING:
    from tests.conftest import Run, TapRunner

TEXT = {"Content-Type": "text/plain"}
HTML = {"Content-Type": "text/html; charset=utf-8"}
QUICK = {"max_wait_minutes": 0}
ALL_BUT_SELF = "^/(?!self)"

FORMS: dict[str, tuple[bytes, dict[str, str], str]] = {
    "Envoy": (b"RBAC: access denied", TEXT, "RBAC: access denied"),
    "a page": (
        b"<html><head><title>Attention Required!</title></head>\n<body><h1>Sorry</h1></body>",
        HTML,
        "Attention Required! Sorry",
    ),
    "JSON": (b'{"code":403,"message":"No route"}', {}, "No route"),
    "problem+json": (
        b'{"title":"Error 1020","status":403,"detail":"Access denied.","cloudflare_error":true}',
        {"Content-Type": "application/problem+json"},
        "Error 1020 Access denied.",
    ),
    "nothing": (b"", TEXT, ""),
}
"""Whose form: body, headers, and the words that are quoted."""


def failures(run: Run) -> list[str]:
    return [line.split("| ")[-1] for line in run.errors if "| Failed: " in line]


def is_gateways(line: str, status: int, words: str) -> None:
    assert f"{status} " in line
    assert (
        "not in the format of e-conomic's errors, so it probably comes from a firewall or proxy"
        in line
    )
    assert f'Its message: "{words}"' in line or not words
    assert "rest_url, openapi_url and openapi_versions" in line


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_gateways_refusal_is_a_failure_that_quotes_it(
    warm_tap: TapRunner, status: int, form: str
) -> None:
    body, headers, words = FORMS[form]
    with canary_sandbox(small_grants(GRANT)) as sandbox:
        rule = sandbox.faults.add(
            "^/units", "status", status=status, body=body, headers=headers, times=None
        )
        run = warm_tap(
            settings_for(sandbox, GRANT, **QUICK), catalog=warm_tap.catalog_of("accounts", "units")
        )
    assert rule.applied
    assert run.exit_code == 1
    assert len(run.records["accounts"]) > 10, "after a 401 too: the grant was not refused"
    (line,) = failures(run)
    assert line.startswith(f"Failed: units, agreement {NUMBER}")
    is_gateways(line, status, words)
    keeps_secrets(run)


def test_a_gateways_refusal_is_tried_again_five_times_in_all(warm_tap: TapRunner) -> None:
    with canary_sandbox(small_grants(GRANT)) as sandbox:
        body, headers, _ = FORMS["Envoy"]
        rule = sandbox.faults.add(
            "^/units", "status", status=403, body=body, headers=headers, times=4
        )
        run = warm_tap(settings_for(sandbox, GRANT), catalog=warm_tap.catalog_of("units"))
    assert rule.applied == 4
    assert run.exit_code == 0, run.stderr
    assert len(run.records["units"]) == 5


def test_a_gateway_that_refuses_all_but_self_is_no_complete_run(warm_tap: TapRunner) -> None:
    body, headers, words = FORMS["Envoy"]
    with canary_sandbox(small_grants(GRANT)) as sandbox:
        sandbox.faults.add(
            ALL_BUT_SELF, "status", status=403, body=body, headers=headers, times=None
        )
        run = warm_tap(settings_for(sandbox, GRANT, max_wait_minutes=0.05))
        asked = len(sandbox.log)
    assert run.exit_code == 1
    assert len(failures(run)) > 80
    for line in failures(run):
        is_gateways(line, 403, words)
    assert set(run.records) == {"agreements", "sync_runs"}
    assert asked < 2 * 88 + 20, "one is patient, the others get one try"
    assert not [line for line in run.warnings if "Skipped" in line]


@pytest.mark.parametrize("all_of", [True, False])
def test_an_agreement_of_which_nothing_but_self_may_be_read_is_not_complete(
    warm_tap: TapRunner, all_of: bool
) -> None:
    """e-conomic's own 403 on everything: an app without a role, or rights taken away."""
    with canary_sandbox(small_grants(GRANT, GRANT_2)) as sandbox:
        sandbox.faults.add(ALL_BUT_SELF, "status", status=403, times=None, grant=GRANT)
        config = settings_for(sandbox, GRANT, GRANT_2)
        names = [] if all_of else ["agreements", "dimensions", "units"]
        run = warm_tap(config, catalog=warm_tap.catalog_of(*names) if names else None)
        report = warm_tap(config, "--test")
    for one in (run, report):
        assert one.exit_code == 1
        (line,) = [line for line in one.errors if "Not read: " in line]
        assert f"agreement {NUMBER} (Firma 0): only /self is readable" in line
        assert "e-conomic denied access to all" in line
        assert "remove the company from the settings" in line
    assert {row["agreementNumber"] for row in run.records["units"]} == {NUMBER + 1}


def test_a_company_without_the_only_module_that_was_asked_for_is_complete(
    warm_tap: TapRunner,
) -> None:
    with canary_sandbox(small_grants(GRANT)) as sandbox:
        sandbox.faults.add("^/projectsapi", "status", status=403, times=None)
        run = warm_tap(
            settings_for(sandbox, GRANT), catalog=warm_tap.catalog_of("agreements", "projects")
        )
    assert run.exit_code == 0, run.stderr
    assert "Skipped for" in run.stderr


@pytest.mark.parametrize("status", [429, 500, 502, 503])
def test_what_a_gateway_says_of_a_fault_is_quoted(warm_tap: TapRunner, status: int) -> None:
    with canary_sandbox(small_grants(GRANT)) as sandbox:
        sandbox.faults.add(
            "^/units",
            "status",
            status=status,
            body=b"no healthy upstream",
            headers=TEXT,
            times=None,
        )
        run = warm_tap(settings_for(sandbox, GRANT, **QUICK), catalog=warm_tap.catalog_of("units"))
    assert run.exit_code == 1
    assert f"returned {status} " in failures(run)[0]
    assert 'The message: "no healthy upstream' in failures(run)[0]


NESTED = {
    "rest_customer_contacts": r"/customers/\d+/contacts",
    "product_group_accrual_settings": "/accrualsettings",
    "invoices_booked_documents": r"/invoices/booked/\d+$",
}


@pytest.mark.parametrize("stream", NESTED)
def test_a_gateways_404_does_not_say_that_something_is_gone(
    warm_tap: TapRunner, stream: str
) -> None:
    with canary_sandbox(small_grants(GRANT)) as sandbox:
        sandbox.faults.add(
            NESTED[stream], "status", status=404, body=b"<h1>404</h1>", headers=HTML, times=None
        )
        run = warm_tap(
            settings_for(sandbox, GRANT, all_streams=True, **QUICK),
            catalog=warm_tap.catalog_of(stream),
        )
    assert run.exit_code == 1
    is_gateways(failures(run)[0], 404, "404")
    assert "because the parent was deleted" not in run.stderr


@pytest.mark.parametrize("status", [401, 403, 404])
def test_the_connection_test_takes_a_gateways_word_for_a_failure(
    warm_tap: TapRunner, status: int
) -> None:
    body, headers, words = FORMS["Envoy"]
    with canary_sandbox(small_grants(GRANT)) as sandbox:
        sandbox.faults.add(
            "^/(units|accounts)", "status", status=status, body=body, headers=headers, times=None
        )
        run = warm_tap(settings_for(sandbox, GRANT, **QUICK), "--test")
    assert run.exit_code == 1
    table = told(run)
    for stream in ("units", "accounts"):
        access, why = table[stream]
        assert access == "failed"
        is_gateways(why, status, words)
    assert table["customers"] == ("yes", "")


@pytest.mark.parametrize("status", [401, 403])
def test_a_gateway_in_front_of_self_says_nothing_of_the_grant(
    warm_tap: TapRunner, status: int
) -> None:
    body, headers, words = FORMS["Envoy"]
    with canary_sandbox(small_grants(GRANT)) as sandbox:
        sandbox.faults.add(
            "^/self", "status", status=status, body=body, headers=headers, times=None
        )
        run = warm_tap(settings_for(sandbox, GRANT, **QUICK))
    assert (run.exit_code, run.messages) == (1, [])
    is_gateways(run.errors[0], status, words)
    assert "agreement_grant_token" not in run.errors[0].split("agreement_grant_token: ", 1)[-1]


OWN: list[dict[str, Any]] = [
    {"message": "Access denied (Forbidden).", "logId": "8d79-CPH", "httpStatusCode": 403},
    {"title": "Access forbidden.", "status": 403, "traceId": "0-CPH"},
    {"title": "Missing modules: X", "errorCode": "AccessDeniedAgreementMissingModules"},
    {"title": "Bad request.", "errors": [{"errorCode": "DimensionIncorrectModule"}]},
]


@pytest.mark.parametrize("body", OWN, ids=lambda body: str(list(body)[-1]))
def test_e_conomics_own_403_is_a_skip(warm_tap: TapRunner, body: dict[str, Any]) -> None:
    with canary_sandbox(small_grants(GRANT)) as sandbox:
        rule = sandbox.faults.add(
            "^/units", "status", status=403, body=json.dumps(body).encode(), times=None
        )
        catalog = warm_tap.catalog_of("accounts", "units")
        run = warm_tap(settings_for(sandbox, GRANT), catalog=catalog)
    assert rule.applied == 1
    assert run.exit_code == 0, run.stderr
    assert "units: access denied (403)" in run.warnings[-1]


def test_a_token_that_a_gateway_repeats_is_not_shown(warm_tap: TapRunner) -> None:
    for before in (0, 85, 95):
        with canary_sandbox(small_grants(GRANT)) as sandbox:
            words = f"<p>{'x' * before}{GRANT}</p>".encode()
            sandbox.faults.add(
                "^/units", "status", status=403, body=words, headers=HTML, times=None
            )
            catalog = warm_tap.catalog_of("units")
            run = warm_tap(settings_for(sandbox, GRANT, **QUICK), catalog=catalog)
        assert run.exit_code == 1
        keeps_secrets(run)
