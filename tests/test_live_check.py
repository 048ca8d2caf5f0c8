"""`make live-check` names each of the possible answers, gently, and gives nothing away."""

from __future__ import annotations

import datetime as dt
import json
import re
import subprocess
import sys
from dataclasses import dataclass, replace
from functools import cache
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, TypeAlias

import pytest

from scripts.live_check import __main__ as live_check
from scripts.live_check import checks
from tap_visma_economic.schemas import MODULE_VERSIONS
from tap_visma_economic.streams import STREAMS
from tests.conftest import ROOT, clean_environment
from tests.sandbox import Grant, Sandbox, listing, rest
from tests.sandbox.budget import Budget
from tests.sandbox.company import build_company
from tests.sandbox.listing import Listing
from tests.sandbox.values import Raw
from tests.support import APP, CANARY, GRANT, Altered, always, canary_sandbox, now

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.sandbox.company import Company

CONTACTS = "customersapi:/Contacts"
ENTRIES = "bookedEntriesapi:/booked-entries"
CUSTOMERS = "rest:/customers"
INVOICES = "rest:/invoices/booked"
LINES = "q2capi:/invoices/booked/lines"
DRAFTS = "q2capi:/invoices/drafts"
NO_FILTER = {"status": 400, "errorCode": "BadFilterRequest"}
NO_MODULE = {"errors": [{"errorCode": "DimensionIncorrectModule"}]}
INSTANT = r"%24gte%3A\d{4}-\d\d-\d\dT"
YES, NO, UNKNOWN = "as assumed", "otherwise", "could not tell"


@cache
def company() -> Company:
    return build_company(1234567, "Åbne Spørgsmål ApS", seed=5, entries=1300)


@dataclass
class Lab:
    """A sandbox that is about to answer otherwise, and `make live-check` to ask it."""

    sandbox: Sandbox
    patch: pytest.MonkeyPatch
    report: Path
    waits: list[float]
    """The script's pauses, which are noted and not made."""

    def ask(self, *arguments: str) -> dict[str, Any]:
        """Run the command line in this process, and return its findings."""
        urls = ["--rest-url", self.sandbox.url, "--openapi-url", self.sandbox.url]
        line = ["live-check", *urls, "--pause=0", "--report", str(self.report), *arguments]
        self.patch.setattr(sys, "argv", line)
        assert live_check.main() == 0
        findings: dict[str, Any] = json.loads(self.report.read_text("utf-8"))["findings"]
        return findings

    def answered(self, *answers: str) -> set[str]:
        """The keys of findings with these answers, after asking everything."""
        return {key for key, it in self.ask().items() if it["answer"] in answers}


@pytest.fixture
def lab(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Lab]:
    """The company as it is; no settings in the environment."""
    waits: list[float] = []
    monkeypatch.setattr(live_check, "time", SimpleNamespace(sleep=waits.append))
    for name in ("APP_SECRET_TOKEN", "AGREEMENT_GRANT_TOKEN", "REST_URL", "OPENAPI_URL"):
        monkeypatch.delenv("TAP_VISMA_ECONOMIC_" + name, raising=False)
    with Sandbox({"demo": Grant(company())}) as sandbox:
        yield Lab(sandbox, monkeypatch, tmp_path / "report.json", waits)


Arrange: TypeAlias = "Callable[[Lab], object]"


def as_it_is(lab: Lab) -> None:
    """The sandbox answers so."""


def status(query: str, status: int, body: Any = None, **how: Any) -> Arrange:
    return lambda lab: always(lab.sandbox, query, status, body, **how)


def rows(endpoint: str, alter: Callable[[Any], Any]) -> Arrange:
    def arrange(lab: Lab) -> None:
        company = lab.sandbox.grants["demo"].company
        lab.sandbox.grants["demo"] = Grant(Altered(company, endpoint, alter))

    return arrange


def each(endpoint: str, alter: Callable[[Any], dict[str, Any]]) -> Arrange:
    return rows(endpoint, lambda rows: [{**row, **alter(row)} for row in rows])


def retire(module: str, version: str, status: int) -> Arrange:
    return lambda lab: lab.sandbox.retire(module, version, status)


def budget(**how: Any) -> Arrange:
    return lambda lab: setattr(lab.sandbox.service, "budget", Budget(**how))


def stamps(at: dt.datetime) -> Arrange:
    return each(CUSTOMERS, lambda row: {"lastUpdated": at})


def numbers_up(endpoint: str, name: str, by: int) -> Arrange:
    return each(endpoint, lambda row: {name: row[name] + by})


def created(seconds: int) -> Arrange:
    """Each entry is created so many seconds after the one before."""
    gap = dt.timedelta(seconds=seconds)
    return each(ENTRIES, lambda row: {"creationDate": now() + gap * row["entryNumber"]})


def pass_over_filters(lab: Lab) -> None:
    everything = lambda self, *_, **__: range(len(self.rows))  # noqa: E731
    lab.patch.setattr(Listing, "select", everything)


def pass_over_sorts(lab: Lab) -> None:
    lab.patch.setattr(listing, "parse_sort", lambda *_: ())


def without_modules(lab: Lab) -> None:
    lab.sandbox.grants["demo"] = Grant(company(), modules=frozenset())


def changed_now(lab: Lab) -> None:
    stamps(now())(lab)


def danish_time(lab: Lab) -> None:
    lab.sandbox.service.zone = "copenhagen"
    changed_now(lab)


def no_pagination(lab: Lab) -> None:
    answer = rest.answer

    def bare(call: Any) -> Any:
        whole = answer(call)
        return replace(whole, body=re.sub(rb',"pagination":\{[^}]*\}', b"", whole.body))

    lab.patch.setattr(rest, "answer", bare)


open_credit_notes = each(INVOICES, lambda row: {"netAmount": -row["netAmount"]})


def credit_notes_not_listed(lab: Lab) -> None:
    open_credit_notes(lab)
    rows("rest:/invoices/unpaid", lambda rows: rows[:-1])(lab)


def totals_without_openings(lab: Lab) -> None:
    openings = {
        row["accountNumber"]: row["amountInBaseCurrency"]
        for row in company().rows(ENTRIES)
        if row["type"] == 7
    }

    def less(row: Any) -> dict[str, Any]:
        opening = openings.get(row["account"]["accountNumber"], 0)
        return {"totalInBaseCurrency": row["totalInBaseCurrency"] - opening}

    each("rest:/accounting-years/{accountingYear}/totals", less)(lab)


def both_counted_from_one(lab: Lab) -> None:
    COUNTED_FROM_ONE(lab)
    rows(REST_CONTACTS, lambda rows: [{**rows[0], "customerContactNumber": 1}])(lab)


UTC = dt.timezone.utc
SKIPPED = dt.datetime(2026, 3, 29, 2, 30, tzinfo=UTC)
AN_HOUR_MORE = each(
    "productsapi:/products",
    lambda row: {"lastUpdated": row["lastUpdated"] + dt.timedelta(hours=1)},
)
EVENING = each(ENTRIES, lambda row: {"date": Raw('"2026-03-31T22:00:00Z"')})
NULL_REMAINDERS = each(ENTRIES, lambda row: {"remainder": row["remainder"] or None})
PAIRS = "bookedEntriesapi:/booked-entries/matched-pairs"
REST_CONTACTS = "rest:/customers/{customerNumber}/contacts"
COUNTED_FROM_ONE = rows(CONTACTS, lambda rows: [row for row in rows if row["number"] == 1])
ONLY_CALENDAR_YEARS = rows(
    "rest:/accounting-years", lambda rows: [it for it in rows if "/" not in it["year"]]
)
OLDER_NUMBERS = each(DRAFTS, lambda row: {"number": row["draftInvoiceNumber"]})
BY_CHANCE = each(
    DRAFTS, lambda row: {"number": row["draftInvoiceNumber"], "draftInvoiceNumber": None}
)
NOT_NAMED = each(DRAFTS, lambda row: {"draftInvoiceNumber": None})
FILTERS_TAKEN = status(r"/entries\?.*filter=", 200, b'{"collection":[]}')
NO_GROUP = "/accrualsettings"

CASES: dict[str, list[tuple[str, Arrange, str]]] = {
    "instants-in-filters": [
        (YES, as_it_is, "accepted and obeyed"),
        (NO, status(f"/Contacts.*{INSTANT}", 400, NO_FILTER), "rejected with 400"),
        (NO, pass_over_filters, "older rows were returned as well"),
        (NO, status(f"/Contacts.*{INSTANT}", 200, b'{"items":[]}'), "nothing was found"),
        (UNKNOWN, status("/Contacts", 503), "returned 503"),
        (UNKNOWN, rows(CONTACTS, lambda rows: []), "there is nothing to find"),
    ],
    "instants-in-changelog": [
        (YES, as_it_is, "accepted and obeyed"),
        (NO, status(f"/changelog.*{INSTANT}", 400, NO_FILTER), "rejected with 400"),
    ],
    "module-versions: journalsapi": [
        (YES, as_it_is, "served"),
        (NO, retire("journalsapi", "15.0.0", 410), "not served: 410"),
    ],
    "newer-versions: accountsapi 7.0.1": [
        (YES, as_it_is, "served"),
        (NO, retire("accountsapi", "7.0.1", 404), "not served: 404"),
    ],
    "gone-versions": [
        (YES, retire("bookedEntriesapi", "1.0.0", 410), "reported with 410"),
        (NO, retire("bookedEntriesapi", "1.0.0", 403), "reported with 403"),
        (UNKNOWN, as_it_is, "this version is still served"),
    ],
    "sorted-by-key: currencies": [
        (YES, as_it_is, "sorted"),
        (NO, status("/currencies.*sort=", 400), "rejected with 400"),
    ],
    "sorted-by-key: units": [(NO, pass_over_sorts, "the sort was ignored")],
    "sort-obeyed": [
        (YES, as_it_is, "sorted"),
        (NO, pass_over_sorts, "the sort was ignored"),
    ],
    "missing-module": [
        (YES, without_modules, "reported with 403"),
        (NO, status("^/dimensionsapi", 400, NO_MODULE), "reported with 400"),
        (UNKNOWN, as_it_is, "the agreement has the modules"),
    ],
    "instants-in-utc": [
        (YES, stamps(SKIPPED), "a timestamp is in the hour that Danish clocks skip in spring: UTC"),
        (NO, danish_time, "a timestamp is ahead of e-conomic's own clock: Danish time"),
        (UNKNOWN, changed_now, "nothing was changed"),
    ],
    "same-clock": [
        (YES, as_it_is, "both show the same"),
        (NO, AN_HOUR_MORE, "one or two hours apart"),
    ],
    "dates-are-days": [
        (YES, as_it_is, "a day with a midnight"),
        (NO, EVENING, "other than a midnight: 9999-99-99T99:99:99Z"),
    ],
    "no-remainder": [
        (YES, as_it_is, "only entries with a remainder were found"),
        (NO, NULL_REMAINDERS, "entries without a remainder were found as well"),
        (NO, status("remainder", 400, NO_FILTER), "the filter was rejected with 400"),
    ],
    "counts": [
        (YES, as_it_is, "counted"),
        (NO, status("/count", 404), "not counted: returned 404"),
    ],
    "pages-told": [
        (YES, as_it_is, "pages are described"),
        (NO, no_pagination, "pages are not described"),
    ],
    "budget-told": [
        (YES, as_it_is, "token-limit-9-per-9-seconds: 9/9"),
        (NO, budget(headers=False), "no header"),
        (NO, budget(form="plenty"), "plenty"),
    ],
    "budget-used": [
        (YES, as_it_is, "the figure stays low: tokens used"),
        (NO, budget(counts="left"), "the figure stays high: tokens left"),
        (UNKNOWN, budget(headers=False), "no response reports"),
    ],
    "retry-after": [
        (YES, status("/count", 429, times=1, retry_after="7"), "Retry-After in seconds"),
        (NO, status("/count", 429, times=1), "429 without Retry-After"),
        (UNKNOWN, as_it_is, "no call was rejected"),
    ],
    "no-settings": [
        (YES, status(NO_GROUP, 404, b""), "404"),
        (NO, status(NO_GROUP, 204, b""), "204 with nothing in it"),
        (NO, status(NO_GROUP, 200, b"null"), "200 with nothing in it"),
        (UNKNOWN, status(NO_GROUP, 200, b'{"accrue":true}'), "has settings"),
    ],
    "numbers-rise": [
        (YES, created(1), "numbers rise with time"),
        (NO, created(-1), "a lower number was made later"),
        (UNKNOWN, as_it_is, "fewer than two creation times"),
    ],
    "unpaid-complete": [
        (YES, open_credit_notes, "all are listed, credit notes among them"),
        (NO, credit_notes_not_listed, "is not listed"),
        (UNKNOWN, as_it_is, "there is no open credit note"),
    ],
    "year-totals": [
        (YES, as_it_is, "opening entries are counted"),
        (NO, totals_without_openings, "opening entries are omitted"),
    ],
    "inferred-keys: booked-entries/matched-pairs": [
        (YES, as_it_is, "no key twice on the first page"),
        (NO, rows(PAIRS, lambda rows: [*rows, rows[0]]), "a key comes twice"),
    ],
    "document-ids": [
        (YES, as_it_is, "the invoices' net amounts are those of their lines"),
        (NO, numbers_up(LINES, "documentId", 1), "have other amounts"),
        (NO, numbers_up(LINES, "documentId", 500_000), "are not there"),
    ],
    "joined-numbers: contacts": [
        (YES, as_it_is, "the same numbers"),
        (NO, numbers_up(REST_CONTACTS, "customerContactNumber", 9_000), "other numbers"),
        (UNKNOWN, COUNTED_FROM_ONE, "may be chance"),
        (UNKNOWN, both_counted_from_one, "may be chance"),
    ],
    "joined-numbers: delivery locations": [
        (NO, numbers_up("customersapi:/DeliveryLocations", "number", 9_000), "other numbers"),
    ],
    "draft-numbers": [
        (YES, as_it_is, "draftInvoiceNumber is the older API's"),
        (NO, OLDER_NUMBERS, "number is the older API's"),
        (UNKNOWN, BY_CHANCE, "which may be chance"),
        (NO, NOT_NAMED, "neither is the older API's"),
    ],
    "year-names": [
        (YES, as_it_is, "found"),
        (NO, status("/accounting-years/2025_6_2026", 404), "not found: 404"),
        (UNKNOWN, ONLY_CALENDAR_YEARS, "every fiscal year is a calendar year"),
    ],
    "filters-of-entries: remainder": [
        (YES, status(r"/entries\?.*filter=", 400, NO_FILTER), "rejected with 400"),
        (NO, FILTERS_TAKEN, "accepted"),
    ],
    "filters-of-entries: account.accountNumber": [(NO, FILTERS_TAKEN, "accepted")],
    "balance-alone": [
        (YES, stamps(dt.datetime(2020, 1, 1, tzinfo=UTC)), "a month after its lastUpdated"),
        (NO, changed_now, "as late as the customer's newest invoice"),
    ],
}
"""How the sandbox is made to give each answer, and the words that have to be found."""

EVERY = [(key, *it) for key, cases in CASES.items() for it in cases]


@pytest.mark.parametrize(
    ("key", "answer", "arrange", "words"), EVERY, ids=[f"{it[0]}, {it[1]}: {it[3]}" for it in EVERY]
)
def test_each_of_the_answers_is_named(
    key: str, answer: str, arrange: Arrange, words: str, lab: Lab
) -> None:
    arrange(lab)
    only = [key.partition(":")[0], "counts"]  # some look at the answers of others
    found = lab.ask(*(f"--only={name}" for name in only))[key]
    assert found["answer"] == answer, found
    assert words in found["seen"]


def test_both_answers_of_every_assumption_are_tried() -> None:
    tried = {(key.partition(":")[0], answer) for key, answer, *_ in EVERY}
    assert tried >= {(key, answer) for key in checks.CHECKS for answer in (YES, NO)}


def test_every_module_and_every_inferred_key_of_the_tap_is_asked_about() -> None:
    assert checks.MODULES.keys() == MODULE_VERSIONS.keys()
    streams: list[Any] = [stream for stream in STREAMS if stream.key_is_inferred]
    inferred = {f"{it.module}:{it.path}": it.primary_keys[1:] for it in streams}
    asked = {path.partition("?")[0]: keys for path, keys in checks.INFERRED.items()}
    assert asked == inferred


def test_each_row_of_the_page_has_its_checks() -> None:
    rows = [it for it in checks.PAGE.read_text("utf-8").splitlines() if it.startswith("| ")][1:]
    assert list(checks.assumptions()) == list(checks.CHECKS)
    assert len(rows) == len(checks.CHECKS)


def test_all_of_it_is_gentle_and_gives_nothing_away(tmp_path: Path) -> None:
    with canary_sandbox({GRANT: Grant(company())}) as sandbox:
        names = {
            "TAP_VISMA_ECONOMIC_APP_SECRET_TOKEN": APP,
            "TAP_VISMA_ECONOMIC_AGREEMENT_GRANT_TOKEN": GRANT,
            "TAP_VISMA_ECONOMIC_REST_URL": sandbox.url,
            "TAP_VISMA_ECONOMIC_OPENAPI_URL": sandbox.url,
        }
        report = tmp_path / "report.json"
        line = [sys.executable, "-m", "scripts.live_check", "--pause=0", f"--report={report}"]
        done = subprocess.run(
            line,
            capture_output=True,
            cwd=ROOT,
            env={**clean_environment(), **names},
            text=True,
            timeout=120,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert 50 < len(sandbox.log) <= live_check.MOST_CALLS
    assert {seen.method for seen in sandbox.log} == {"GET"}
    assert len({seen.target for seen in sandbox.log}) == len(sandbox.log), "nothing twice"
    written = report.read_text("utf-8")
    assert CANARY not in written + done.stdout
    findings = json.loads(written)["findings"]
    assert {it["answer"] for it in findings.values()} == {YES, UNKNOWN}
    of_the_script = {
        *(it["seen"] for it in findings.values()),
        *findings,
        *(assumed for assumed, _ in checks.assumptions().values()),
    }
    numbers = {number for text in of_the_script for number in re.findall(r"\d+", text)}
    assert not {number for number in numbers if len(number) > 4}, "statuses and versions at most"
    for endpoint in (CUSTOMERS, INVOICES, ENTRIES):
        for row in company().rows(endpoint):
            for value in row.values():
                if isinstance(value, str) and len(value) > 5:
                    assert value not in written


def test_a_call_that_is_refused_for_the_budget_is_waited_for_once(lab: Lab) -> None:
    always(lab.sandbox, "", 429, retry_after="7", nth=3)
    reasons = {it["seen"] for it in lab.ask().values()}
    assert [wait for wait in lab.waits if wait] == [7]
    assert len(lab.sandbox.log) == 4, "two answers, a refusal, another after the wait"
    assert "not requested: e-conomic rejected a call with 429" in reasons


def test_a_budget_that_others_want_is_left_to_them(lab: Lab) -> None:
    lab.sandbox.service.budget = Budget(limit=20, window=60, enabled=False)
    reasons = {it["seen"] for it in lab.ask().values()}
    assert [wait for wait in lab.waits if wait] == [60]
    assert len(lab.sandbox.log) < 5
    assert "not requested: others are using the rate limit" in reasons


def test_tokens_that_are_refused_end_it_at_once(lab: Lab) -> None:
    always(lab.sandbox, "", 401)
    with pytest.raises(SystemExit, match="rejects the tokens"):
        lab.ask()
    assert len(lab.sandbox.log) == 1


def test_a_host_that_does_not_answer_is_told(lab: Lab) -> None:
    lab.sandbox.close()
    with pytest.raises(SystemExit, match=r"No response from 127\.0\.0\.1"):
        lab.ask()
    assert [wait for wait in lab.waits if wait] == [6]


@pytest.mark.parametrize("status", [302, 403, 500, 503])
def test_a_refusal_of_everything_tells_nothing(status: int, lab: Lab) -> None:
    always(lab.sandbox, "", status)
    assert lab.answered(YES, NO) == {"budget-told", "budget-used"}


@pytest.mark.parametrize("role", ["Sales", "Bookkeeping"])
def test_what_a_role_may_not_read_is_no_answer(role: str, lab: Lab) -> None:
    lab.sandbox.grants["demo"] = Grant(company(), role=role)
    always(lab.sandbox, r"^/accounting-years/[^/]+/entries", 403)
    assert lab.answered(NO) == set()


def test_a_year_with_a_letter_is_asked_for_in_economics_own_encoding(lab: Lab) -> None:
    assert lab.ask("--only=year-names")["year-names"]["seen"] == "found"
    assert lab.sandbox.requests("/accounting-years/2025_6_2026a$")


@pytest.mark.parametrize(
    "body",
    [b"<html>", b"null", b"[]", b"{}", b'{"items":[1]}', b'{"collection":[{"self":"x"}]}', b'"x"'],
)
def test_answers_of_any_form_are_no_traceback(body: bytes, lab: Lab) -> None:
    always(lab.sandbox, "", 200, body)
    assert len(lab.ask()) > 40


def test_a_code_that_is_none_of_economics_stays_out_of_the_report(lab: Lab) -> None:
    always(lab.sandbox, "", 400, {"errorCode": "Hansen", "errors": [{"code": "12345678"}, 3]})
    assert {code for it in lab.ask().values() for code in it["codes"]} == set()
