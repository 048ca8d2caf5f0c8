"""Errors that are not e-conomic's: a gateway's word says nothing of tokens, roles or rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.support import (
    GRANT,
    GRANT_2,
    NUMBER,
    always,
    canary_sandbox,
    keeps_secrets,
    small_grants,
)
from tests.test_access import told

if TYPE_CHECKING:
    from tests.conftest import Run, TapRunner
    from tests.sandbox import Sandbox

TEXT = {"Content-Type": "text/plain"}
HTML = {"Content-Type": "text/html; charset=utf-8"}
QUICK: dict[str, Any] = {"max_wait_minutes": 0}
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

ENVOY = {"body": FORMS["Envoy"][0], "headers": TEXT}


def failures(run: Run) -> list[str]:
    return [line.split("| ")[-1] for line in run.errors if "| Failed: " in line]


def is_gateways(line: str, status: int, words: str = FORMS["Envoy"][2]) -> None:
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
    warm_tap: TapRunner, firm: Sandbox, status: int, form: str
) -> None:
    body, headers, words = FORMS[form]
    rule = always(firm, "^/units", status, body, headers=headers)
    run = warm_tap.read(firm, "accounts", "units", code=1, **QUICK)
    assert rule.applied
    assert len(run.records["accounts"]) > 10, "after a 401 too: the grant was not refused"
    (line,) = failures(run)
    assert line.startswith(f"Failed: units, agreement {NUMBER}")
    is_gateways(line, status, words)
    keeps_secrets(run)


def test_a_gateways_refusal_is_tried_again_five_times_in_all(
    warm_tap: TapRunner, firm: Sandbox
) -> None:
    rule = always(firm, "^/units", 403, times=4, **ENVOY)
    run = warm_tap.read(firm, "units")
    assert rule.applied == 4
    assert len(run.records["units"]) == 5


def test_a_gateway_that_refuses_all_but_self_is_no_complete_run(
    warm_tap: TapRunner, firm: Sandbox
) -> None:
    always(firm, ALL_BUT_SELF, 403, **ENVOY)
    run = warm_tap.read(firm, code=1, max_wait_minutes=0.05)
    assert len(failures(run)) > 80
    for line in failures(run):
        is_gateways(line, 403)
    assert set(run.records) == {"agreements", "sync_runs"}
    assert len(firm.log) < 2 * 88 + 20, "one is patient, the others get one try"
    assert not [line for line in run.warnings if "Skipped" in line]


@pytest.mark.parametrize("all_of", [True, False])
def test_an_agreement_of_which_nothing_but_self_may_be_read_is_not_complete(
    warm_tap: TapRunner, all_of: bool
) -> None:
    """e-conomic's own 403 on everything: an app without a role, or rights taken away."""
    with canary_sandbox(small_grants(GRANT, GRANT_2)) as sandbox:
        always(sandbox, ALL_BUT_SELF, 403, grant=GRANT)
        names = () if all_of else ("agreements", "dimensions", "units")
        run = warm_tap.read(sandbox, *names, code=1)
        report = warm_tap.test(sandbox, code=1)
    for one in (run, report):
        (line,) = [line for line in one.errors if "Not read: " in line]
        assert f"agreement {NUMBER} (Firma 0): only /self is readable" in line
        assert "e-conomic denied access to all" in line
        assert "remove the company from the settings" in line
    assert {row["agreementNumber"] for row in run.records["units"]} == {NUMBER + 1}


def test_a_company_without_the_only_module_that_was_asked_for_is_complete(
    warm_tap: TapRunner, firm: Sandbox
) -> None:
    always(firm, "^/projectsapi", 403)
    assert "Skipped for" in warm_tap.read(firm, "agreements", "projects").stderr


@pytest.mark.parametrize("status", [429, 500, 502, 503])
def test_what_a_gateway_says_of_a_fault_is_quoted(
    warm_tap: TapRunner, firm: Sandbox, status: int
) -> None:
    always(firm, "^/units", status, b"no healthy upstream", headers=TEXT)
    (line,) = failures(warm_tap.read(firm, "units", code=1, **QUICK))
    assert f"returned {status} " in line
    assert 'The message: "no healthy upstream' in line


NESTED = {
    "rest_customer_contacts": r"/customers/\d+/contacts",
    "product_group_accrual_settings": "/accrualsettings",
    "invoices_booked_documents": r"/invoices/booked/\d+$",
}


@pytest.mark.parametrize("stream", NESTED)
def test_a_gateways_404_does_not_say_that_something_is_gone(
    warm_tap: TapRunner, firm: Sandbox, stream: str
) -> None:
    always(firm, NESTED[stream], 404, b"<h1>404</h1>", headers=HTML)
    run = warm_tap.read(firm, stream, code=1, **QUICK)
    is_gateways(failures(run)[0], 404, "404")
    assert "because the parent was deleted" not in run.stderr


@pytest.mark.parametrize("status", [401, 403, 404])
def test_the_connection_test_takes_a_gateways_word_for_a_failure(
    warm_tap: TapRunner, firm: Sandbox, status: int
) -> None:
    always(firm, "^/(units|accounts)", status, **ENVOY)
    table = told(warm_tap.test(firm, code=1, **QUICK))
    for stream in ("units", "accounts"):
        access, why = table[stream]
        assert access == "failed"
        is_gateways(why, status)
    assert table["customers"] == ("yes", "")


@pytest.mark.parametrize("status", [401, 403])
def test_a_gateway_in_front_of_self_says_nothing_of_the_grant(
    warm_tap: TapRunner, firm: Sandbox, status: int
) -> None:
    always(firm, "^/self", status, **ENVOY)
    run = warm_tap.read(firm, code=1, **QUICK)
    assert run.messages == []
    is_gateways(run.errors[0], status)
    assert "agreement_grant_token" not in run.errors[0].split("agreement_grant_token: ", 1)[-1]


OWN: list[dict[str, Any]] = [
    {"message": "Access denied (Forbidden).", "logId": "8d79-CPH", "httpStatusCode": 403},
    {"title": "Access forbidden.", "status": 403, "traceId": "0-CPH"},
    {"title": "Missing modules: X", "errorCode": "AccessDeniedAgreementMissingModules"},
    {"title": "Bad request.", "errors": [{"errorCode": "DimensionIncorrectModule"}]},
]


@pytest.mark.parametrize("body", OWN, ids=lambda body: str(list(body)[-1]))
def test_e_conomics_own_403_is_a_skip(
    warm_tap: TapRunner, firm: Sandbox, body: dict[str, Any]
) -> None:
    rule = always(firm, "^/units", 403, body)
    run = warm_tap.read(firm, "accounts", "units")
    assert rule.applied == 1
    assert "units: access denied (403)" in run.warnings[-1]


@pytest.mark.parametrize("before", [0, 85, 95])
def test_a_token_that_a_gateway_repeats_is_not_shown(
    warm_tap: TapRunner, firm: Sandbox, before: int
) -> None:
    always(firm, "^/units", 403, f"<p>{'x' * before}{GRANT}</p>".encode(), headers=HTML)
    keeps_secrets(warm_tap.read(firm, "units", code=1, **QUICK))
