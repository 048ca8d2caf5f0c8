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
    from tests.support import Firm

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


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_gateways_refusal_is_a_failure_that_quotes_it(firm: Firm, status: int) -> None:
    streams = ("departments", "employees", "layouts", "units", "vat_zones")
    for stream, (body, headers, _) in zip(streams, FORMS.values(), strict=True):
        firm.always("^/" + stream.replace("_", "-"), status, body, headers=headers)
    run = firm.read("accounts", *streams, code=1, **QUICK)
    assert run.records.keys() == {"accounts"}, "after a 401 too: the grant was not refused"
    lines = {line.removeprefix("Failed: ").partition(",")[0]: line for line in failures(run)}
    for stream, (_, _, words) in zip(streams, FORMS.values(), strict=True):
        is_gateways(lines.pop(stream), status, words)
    assert lines == {}
    keeps_secrets(run)


def test_a_gateways_refusal_is_tried_again_five_times_in_all(firm: Firm) -> None:
    rule = firm.always("^/units", 403, times=4, **ENVOY)
    run = firm.read("units")
    assert rule.applied == 4
    assert len(run.records["units"]) == 5


def test_a_gateway_that_refuses_all_but_self_is_no_complete_run(firm: Firm) -> None:
    firm.always(ALL_BUT_SELF, 403, **ENVOY)
    run = firm.read(code=1, max_wait_minutes=0.05)
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


def test_a_company_without_the_only_module_that_was_asked_for_is_complete(firm: Firm) -> None:
    firm.always("^/projectsapi", 403)
    assert "Skipped for" in firm.read("agreements", "projects").stderr


@pytest.mark.parametrize("status", [429, 500, 502, 503])
def test_what_a_gateway_says_of_a_fault_is_quoted(firm: Firm, status: int) -> None:
    firm.always("^/units", status, b"no healthy upstream", headers=TEXT)
    (line,) = failures(firm.read("units", code=1, **QUICK))
    assert f"returned {status} " in line
    assert 'The message: "no healthy upstream' in line


NESTED = {
    "rest_customer_contacts": r"/customers/\d+/contacts",
    "product_group_accrual_settings": "/accrualsettings",
    "invoices_booked_documents": r"/invoices/booked/\d+$",
}


@pytest.mark.parametrize("stream", NESTED)
def test_a_gateways_404_does_not_say_that_something_is_gone(firm: Firm, stream: str) -> None:
    firm.always(NESTED[stream], 404, b"<h1>404</h1>", headers=HTML)
    run = firm.read(stream, code=1, **QUICK)
    is_gateways(failures(run)[0], 404, "404")
    assert "because the parent was deleted" not in run.stderr


@pytest.mark.parametrize("status", [401, 403, 404])
def test_the_connection_test_takes_a_gateways_word_for_a_failure(firm: Firm, status: int) -> None:
    firm.always("^/(units|accounts)", status, **ENVOY)
    table = told(firm.test(code=1, **QUICK))
    for stream in ("units", "accounts"):
        access, why = table[stream]
        assert access == "failed"
        is_gateways(why, status)
    assert table["customers"] == ("yes", "")


@pytest.mark.parametrize("status", [401, 403])
def test_a_gateway_in_front_of_self_says_nothing_of_the_grant(firm: Firm, status: int) -> None:
    firm.always("^/self", status, **ENVOY)
    run = firm.read(code=1, **QUICK)
    assert run.messages == []
    is_gateways(run.errors[0], status)
    assert "agreement_grant_token" not in run.errors[0].split("agreement_grant_token: ", 1)[-1]


OWN: list[dict[str, Any]] = [
    {"message": "Access denied (Forbidden).", "logId": "8d79-CPH", "httpStatusCode": 403},
    {"title": "Access forbidden.", "status": 403, "traceId": "0-CPH"},
    {"title": "Missing modules: X", "errorCode": "AccessDeniedAgreementMissingModules"},
    {"title": "Bad request.", "errors": [{"errorCode": "DimensionIncorrectModule"}]},
]


def test_e_conomics_own_403_is_a_skip(firm: Firm) -> None:
    streams = ("departments", "employees", "units", "vat_zones")
    for stream, body in zip(streams, OWN, strict=True):
        firm.always("^/" + stream.replace("_", "-"), 403, body)
    run = firm.read("accounts", *streams)
    skipped = " ".join(line for line in run.warnings if "Skipped for" in line)
    assert skipped.count("access denied (403)") == len(streams)
    assert all(stream in skipped for stream in streams)


def test_a_token_that_a_gateway_repeats_is_not_shown(firm: Firm) -> None:
    streams = {"departments": 0, "employees": 85, "units": 95}
    for stream, before in streams.items():
        firm.always(f"^/{stream}", 403, f"<p>{'x' * before}{GRANT}</p>".encode(), headers=HTML)
    run = firm.read(*streams, code=1, **QUICK)
    assert len(failures(run)) == len(streams)
    keeps_secrets(run)
