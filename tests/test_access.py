"""What a grant cannot read is skipped, what fails is a failure: reported, and never confused."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from tap_visma_economic.access import ANY, paid_module_of, roles_of
from tap_visma_economic.streams import STREAMS
from tests.conftest import WarmTapRunner
from tests.sandbox import Grant
from tests.sandbox.company import build_company
from tests.sandbox.facts import FACTS
from tests.support import (
    APP,
    CANARY,
    GRANT,
    GRANT_2,
    GRANT_3,
    NUMBER,
    always,
    canary_sandbox,
    keeps_secrets,
    small_grants,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.conftest import Run, TapRunner
    from tests.sandbox import Sandbox
    from tests.sandbox.grants import CompanyLike
    from tests.sandbox.values import Row

DEFAULT = {vars(stream)["name"] for stream in STREAMS if not stream.opt_in}
PARTLY = {
    CANARY + "no-modules": {
        "projects": "Missing modules: Project",
        "subscriptions": "Missing modules: Subscription",
        "dimensions": "The agreement does not have the module that dimensions need.",
    },
    CANARY + "bookkeeping": {
        "customers": "The role Bookkeeping of the grant does not give access",
        "customer_contacts": "The role Bookkeeping does not give access",
        "product_group_zones": "The role Bookkeeping does not give access",
    },
    CANARY + "sales": {
        "accounts": "The role Sales of the grant does not give access",
        "booked_entries": "The role Sales does not give access",
        "accounting_periods": "The role Sales of the grant does not give access",
    },
}
"""Grants without access to some streams, and e-conomic's message about each."""


@pytest.fixture(scope="module")
def one_company() -> Iterator[Sandbox]:
    """A company, a grant that can read all of it, and three that cannot."""
    whole = small_grants(GRANT)[GRANT]
    no_modules, bookkeeping, sales = PARTLY
    grants = {
        GRANT: whole,
        no_modules: replace(whole, modules=frozenset()),
        bookkeeping: replace(whole, role="Bookkeeping"),
        sales: replace(whole, role="Sales"),
    }
    with canary_sandbox(grants) as sandbox:
        yield sandbox


def skipped(run: Run) -> dict[str, str]:
    """Why each stream was skipped, by the warnings of the summary."""
    reasons = {}
    for line in run.warnings:
        if found := re.search(r"Skipped for agreement \d+ \(.*?\): ([a-z_, ]+): (.*)", line):
            reasons.update(dict.fromkeys(found[1].split(", "), found[2]))
    return reasons


def partition(number: int, key: str, value: object) -> dict[str, Any]:
    context = {"agreementNumber": number}
    return {"context": context, "replication_key": key, "replication_key_value": value}


@pytest.fixture(scope="module")
def everything(
    one_company: Sandbox, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, list[dict[str, Any]]]:
    """The records of the grant that can read all."""
    tap = WarmTapRunner(tmp_path_factory.mktemp("everything"))
    return tap.read(one_company, grants=[GRANT]).records


@pytest.mark.parametrize("grant", PARTLY)
def test_streams_without_access_are_skipped_and_named_and_the_rest_is_complete(
    warm_tap: TapRunner,
    one_company: Sandbox,
    everything: dict[str, list[dict[str, Any]]],
    grant: str,
) -> None:
    run = warm_tap.read(one_company, grants=[grant])
    summary = skipped(run)
    expected = {s: rows for s, rows in everything.items() if s not in summary}
    found = run.records
    for records in (found, expected):
        assert records.pop("sync_runs")
        (row,) = records["agreements"]
        assert row["application"]["requiredRoles"]  # another app's, with another role
        records["agreements"] = [{**row, "application": None}]
    assert found == expected
    assert set(run.schemas) == {*DEFAULT, "sync_runs"}, "the tables of skipped streams exist, empty"
    for stream, words in PARTLY[grant].items():
        assert words in summary[stream]
        told = f".{stream} "
        [when] = [line for line in run.stderr.splitlines() if told in line and "Skipped" in line]
        assert words in when, "when it happens too"
    lines = [line for line in run.warnings if "Skipped for" in line]
    assert len(lines) == len(set(summary.values())), "one for each reason"
    assert run.warnings[-len(lines) :] == lines
    last = run.stderr.splitlines()[-1]
    assert re.search(
        rf"\| Complete: .*, 1 company; {len(summary)} streams skipped, see above$", last
    )
    keeps_secrets(run)


@pytest.fixture
def three() -> Sandbox:
    """Three small companies, not started yet."""
    return canary_sandbox()


def test_a_revoked_grant_is_reported_at_the_end_and_the_others_are_complete(
    warm_tap: TapRunner, three: Sandbox
) -> None:
    known = partition(NUMBER + 1, "entryNumber", 77)
    state = {"bookmarks": {"booked_entries": {"partitions": [known]}}}
    with three as sandbox:
        sandbox.revoke(GRANT_2)
        run = warm_tap.read(
            sandbox, "agreements", "booked_entries", "customers", state=state, code=1
        )
        companies = [sandbox.grants[token].company for token in (GRANT, GRANT_3)]
    for company in companies:
        number = company.agreement_number
        got = [
            r["entryNumber"]
            for r in run.records["booked_entries"]
            if r["agreementNumber"] == number
        ]
        assert got == [r["entryNumber"] for r in company.rows("bookedEntriesapi:/booked-entries")]
    assert {r["agreementNumber"] for r in run.records["customers"]} == {NUMBER, NUMBER + 2}
    assert run.bookmark("booked_entries", NUMBER + 1) == known
    assert "Not read: agreements no. 2: e-conomic rejected the tokens (401)" in run.errors[-2]
    rows = sum(map(len, run.records.values()))
    assert run.errors[-1].endswith(
        f"Incomplete: 1 failure, listed above. {rows} rows from 3 streams written. "
        "The next run resumes from the last state"
    )
    keeps_secrets(run)


def test_without_a_usable_grant_nothing_is_written(warm_tap: TapRunner, three: Sandbox) -> None:
    with three as sandbox:
        sandbox.revoke(GRANT)
        sandbox.revoke(GRANT_2)
        run = warm_tap.read(sandbox, grants=[GRANT, GRANT_2], code=1)
    assert run.messages == []
    assert ["agreements no. 1" in run.errors[0], "agreements no. 2" in run.errors[1]] == [True] * 2
    assert "No agreement can be read" in run.errors[2]
    keeps_secrets(run)


def test_a_stream_failing_for_one_agreement_is_complete_for_the_others(
    warm_tap: TapRunner, three: Sandbox
) -> None:
    known = partition(NUMBER + 1, "lastUpdated", "2024-01-01T00:00:00Z")
    state = {"bookmarks": {"customer_contacts": {"partitions": [known]}}}
    streams = ("accounts", "booked_entries", "customer_contacts", "units")
    with three as sandbox:
        complete = warm_tap.read(sandbox, *streams, state=state)
        always(sandbox, "/contacts", 500, grant=GRANT_2)
        run = warm_tap.read(sandbox, *streams, state=state, code=1, max_wait_minutes=0.01)
    contacts = complete.records["customer_contacts"]
    others = [row for row in contacts if row["agreementNumber"] != NUMBER + 1]
    assert len(others) < len(contacts)
    assert run.records == {**complete.records, "customer_contacts": others}
    assert run.bookmark("customer_contacts", NUMBER + 1) == known
    assert complete.bookmark("customer_contacts", NUMBER + 1) != known
    failed = f"Failed: customer_contacts, agreement {NUMBER + 1} (Firma 1): e-conomic returned 500"
    assert failed in run.errors[-2]
    keeps_secrets(run)


Table = dict[str, tuple[str, str]]


def told(run: Run) -> Table:
    """The table of `--test` for one company: whether each stream can be read, and why not."""
    _, _, table = run.text.partition("  stream ")
    rows = [line.split(maxsplit=1) for line in table.splitlines()[1:] if line]
    return {name: re.match(r"(not checked|\w+) *(.*)", rest).groups() for name, rest in rows}  # type: ignore[union-attr, misc]


def unreadable(run: Run) -> set[str]:
    return {stream for stream, (access, _) in told(run).items() if access == "no"}


class WithSelf:
    """A company with other properties in `/self`."""

    def __init__(self, company: CompanyLike, said: Row) -> None:
        self.agreement_number, self.modules = company.agreement_number, company.modules
        self._company, self._said = company, said

    def rows(self, endpoint: str, params: tuple[str, ...] = ()) -> Sequence[Row]:
        rows = self._company.rows(endpoint, params)
        return [{**row, **self._said} for row in rows] if endpoint == "rest:/self" else rows


def with_role(grant: Grant, role: str) -> Grant:
    """A grant of an app with this role, which `/self` shows too."""
    app = {"name": "App", "requiredRoles": [{"roleNumber": 1, "name": role}]}
    return replace(grant, company=WithSelf(grant.company, {"application": app}), role=role)


@pytest.mark.parametrize("grant", PARTLY)
def test_the_connection_test_reports_what_a_run_would_find(
    warm_tap: TapRunner, one_company: Sandbox, grant: str
) -> None:
    run = warm_tap.test(one_company, grants=[grant], all_streams=True)
    assert list(told(run)) == [vars(stream)["name"] for stream in STREAMS]
    found = skipped(warm_tap.read(one_company, grants=[grant], all_streams=True))
    assert unreadable(run) == set(found) > set(PARTLY[grant])
    assert {access for access, _ in told(run).values()} == {"yes", "no"}
    assert f"{len(STREAMS) - len(unreadable(run))} of {len(STREAMS)} can be read" in run.text
    keeps_secrets(run)


def test_the_connection_test_identifies_user_app_and_company_and_disabled_streams(
    warm_tap: TapRunner, one_company: Sandbox
) -> None:
    run = warm_tap.test(one_company, grants=[GRANT])
    assert run.text.splitlines()[:6] == [
        f"agreement {NUMBER} (Firma 0)",
        "  user     Åse Østergård-Møller, ASE",
        "  app      Warehouse sync",
        "  roles    SuperUser",
        "  modules  Accrual, Dimension, Inventory, Project, Subscription",
        f"  streams  {len(DEFAULT)} of {len(DEFAULT)} can be read",
    ]
    off = {stream: why for stream, (access, why) in told(run).items() if access == "off"}
    assert set(off) == {vars(stream)["name"] for stream in STREAMS} - DEFAULT
    assert set(off.values()) == {"disabled: requires the setting all_streams"}


@pytest.mark.parametrize(
    "said",
    [
        {"application": None, "user": 7, "modules": "none"},
        {"modules": [{"moduleNumber": "4"}, 4], "user": {}, "company": {"name": "A\x07\x1b[2J"}},
    ],
)
def test_the_connection_test_requires_only_the_number_in_self(
    warm_tap: TapRunner, said: dict[str, object]
) -> None:
    whole = small_grants(GRANT)[GRANT]
    grant = replace(whole, company=WithSelf(whole.company, said))
    with canary_sandbox({GRANT: grant}) as sandbox:
        run = warm_tap.test(sandbox)
    assert not {"\x07", "\x1b"} & set(run.text), "a company's name does nothing to a terminal"
    assert "  user     unknown\n" in run.text
    assert "  modules  none listed\n" in run.text


@pytest.mark.parametrize(
    ("role", "reasons"),
    [
        (
            "Sales",
            {
                "booked_entries": "role: requires Bookkeeping or SuperUser, the app has Sales",
                "webhooks": "role: requires SuperUser, the app has Sales",
                "accounting_periods": "as accounting_years: role: requires Bookkeeping",
            },
        ),
        (
            "Bookkeeping",
            {
                "customers": "role: requires Sales or SuperUser, the app has Bookkeeping",
                "products": "role: Access denied (Forbidden). The role Bookkeeping",
            },
        ),
    ],
)
def test_the_connection_test_names_the_missing_role(
    warm_tap: TapRunner, role: str, reasons: dict[str, str]
) -> None:
    grant = with_role(small_grants(GRANT)[GRANT], role)
    with canary_sandbox({GRANT: grant}) as sandbox:
        run = warm_tap.test(sandbox)
    for stream, why in reasons.items():
        access, said = told(run)[stream]
        assert (access, said[: len(why)]) == ("no", why)


def test_the_connection_test_names_the_missing_module_and_guesses_no_other_reason(
    warm_tap: TapRunner,
) -> None:
    refusals = {
        r"/projectsapi/.*/Projects\b": {"title": "Missing modules: Project", "traceId": "0-CPH"},
        r"/projectsapi/.*/Activities\b": {"title": "Access forbidden", "traceId": "0-CPH"},
        r"/projectsapi/.*/ProjectGroups\b": {"traceId": "0-CPH"},
        "/units": {"logId": "0-CPH"},
    }
    whole = small_grants(GRANT)[GRANT]
    grant = replace(whole, company=WithSelf(whole.company, {"modules": []}))
    with canary_sandbox({GRANT: grant}) as sandbox:
        for path, body in refusals.items():
            always(sandbox, path, 403, body)
        run = warm_tap.test(sandbox)
    assert {name: why for name, (access, why) in told(run).items() if access == "no"} == {
        "projects": "module: Missing modules: Project",
        "activities": "module: requires Project (no. 4)",
        "project_groups": "module: requires Project (no. 4)",
        "units": "role or module: e-conomic gives no reason",
    }


ONE_ROW = re.compile(r"/count$|[?&]page[sS]ize=1(&|$)|filter=\w+%24eq%3A0$")
SINGLE = {"rest:/self", "rest:/invoices/totals", "rest:/invoices/booked/{bookedInvoiceNumber}"}


def test_the_connection_test_costs_one_call_per_stream_and_reads_a_row_at_most(
    warm_tap: TapRunner,
) -> None:
    with canary_sandbox(small_grants(GRANT)) as sandbox:
        warm_tap.test(sandbox, all_streams=True)
        asked = list(sandbox.log)
    assert len(asked) == len({request.target for request in asked}) == len(STREAMS)
    large = [request for request in asked if not ONE_ROW.search(request.target)]
    openapi = {"/customersapi/v3.1.0/Setup", "/webhooksapi/v1.0.0/EventTypes"}
    settings = "accrualsettings", "projectsettings"
    assert {request.path for request in large if request.endpoint not in SINGLE} == {
        *openapi,
        *(f"/productsapi/v2.0.0/productgroups/1/{name}" for name in settings),
    }, "these four are one object or a short list, which can only be read whole"


def test_nothing_is_requested_below_an_empty_listing(warm_tap: TapRunner, firm: Sandbox) -> None:
    always(firm, "/accounting-years", 200, {"collection": [], "pagination": {"results": 0}})
    run = warm_tap.test(firm)
    assert firm.requests("/accounting-years/") == []
    assert told(run)["accounting_periods"] == ("yes", "")


def test_the_connection_test_fails_for_a_rejected_grant(warm_tap: TapRunner, firm: Sandbox) -> None:
    firm.revoke(GRANT)
    run = warm_tap.test(firm, code=1)
    assert run.text == ""
    assert "rejected the tokens (401)" in run.stderr
    keeps_secrets(run)


def test_the_connection_test_stops_at_the_first_401_of_a_company(
    warm_tap: TapRunner, three: Sandbox
) -> None:
    with three as sandbox:
        always(sandbox, "/(?!self)", 401, grant=GRANT)
        run = warm_tap.test(sandbox, grants=[GRANT, GRANT_2], code=1, concurrency=3)
        asked = [request.grant for request in sandbox.log]
    assert asked.count(GRANT) <= 1 + 3, "/self, and what was in flight when the first 401 arrived"
    refused, whole = run.text.split("\n\nagreement ")
    assert refused.count(" not checked") == len(DEFAULT) - 1
    assert f" 0 of {len(DEFAULT)} can be read" in refused
    assert f" {len(DEFAULT)} of {len(DEFAULT)} can be read" in whole
    assert len([line for line in run.errors if "rejected the tokens" in line]) == 2, (
        "now, and at the end"
    )
    keeps_secrets(run)


def test_the_connection_test_fails_where_a_run_would(warm_tap: TapRunner, firm: Sandbox) -> None:
    always(firm, "/units", 500)
    run = warm_tap.test(firm, code=1, max_wait_minutes=0)
    access, why = told(run)["units"]
    assert (access, "e-conomic returned 500" in why) == ("failed", True)
    assert f"Failed: units, agreement {NUMBER} (Firma 0): e-conomic returned 500" in run.errors[-2]


def test_roles_and_modules_match_e_conomics_documents() -> None:
    """The sandbox has the same facts from e-conomic's documents."""
    for stream in STREAMS:
        fact = FACTS[f"{getattr(stream, 'module', 'rest')}:{vars(stream)['path']}"]
        module, roles = paid_module_of(stream), roles_of(stream)
        assert (module and module.name) == fact.module, stream
        assert roles is None or set(roles) == set(fact.roles or ANY), stream


@pytest.mark.parametrize(
    ("stream", "path"),
    [
        ("customers", "/customers"),
        ("accounting_year_totals", "/accounting-years/2024/totals"),
        ("invoices_booked_documents", "/invoices/booked/[0-9]+$"),
    ],
)
def test_a_404_for_what_is_listed_is_a_failure(
    warm_tap: TapRunner, firm: Sandbox, stream: str, path: str
) -> None:
    always(firm, path, 404)
    assert f"Failed: {stream}" in warm_tap.read(firm, stream, code=1).errors[-2]


@pytest.mark.parametrize(
    ("stream", "path", "nth"),
    [
        ("rest_customer_contacts", "/customers/[0-9]+/contacts", 5),
        ("invoices_booked", "/invoices/unpaid", 1),
    ],
    ids=["one of many listings", "what is open"],
)
def test_access_denied_partway_is_a_failure_and_not_a_skip(
    warm_tap: TapRunner, stream: str, path: str, nth: int
) -> None:
    company = build_company(NUMBER, "Halvt ApS", seed=1, entries=2500)
    with canary_sandbox({GRANT: Grant(company)}) as sandbox:
        state = warm_tap.read(sandbox, stream).state if stream == "invoices_booked" else None
        always(sandbox, path, 403, nth=nth)
        run = warm_tap.read(sandbox, stream, state=state, code=1)
    assert f"Failed: {stream}" in run.errors[-2]
    assert "partway through the stream: access denied (403)" in run.errors[-2]


@pytest.mark.parametrize("path", ["/self", "/customers"])
@pytest.mark.parametrize("status", [400, 401])
def test_a_token_repeated_by_e_conomic_is_masked(
    warm_tap: TapRunner, firm: Sandbox, path: str, status: int
) -> None:
    says = {"message": f"The tokens {APP} and {GRANT} are not valid", "httpStatusCode": status}
    always(firm, path, status, says)
    run = warm_tap.read(firm, "customers", code=1)
    assert "The tokens (a token) and (a token) are not valid" in run.stderr
    keeps_secrets(run)
