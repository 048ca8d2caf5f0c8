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
from tests.support import APP, CANARY, GRANT, Altered, canary_sandbox

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.sandbox.company import Company

ENTRIES = "bookedEntriesapi:/booked-entries"
CUSTOMERS = "rest:/customers"
INVOICES = "rest:/invoices/booked"
LINES = "q2capi:/invoices/booked/lines"
DRAFTS = "q2capi:/invoices/drafts"
NO_FILTER = json.dumps({"status": 400, "errorCode": "BadFilterRequest"}).encode()
NO_MODULE = json.dumps({"errors": [{"errorCode": "DimensionIncorrectModule"}]}).encode()
INSTANT = r"%24gte%3A\d{4}-\d\d-\d\dT"
YES, NO, UNKNOWN = "as assumed", "otherwise", "could not tell"


@cache
def company() -> Company:
    return build_company(1234567, "Åbne Spørgsmål ApS", seed=5, entries=1300)


@dataclass
class Lab:
    """A sandbox that is about to answer otherwise."""

    sandbox: Sandbox
    patch: pytest.MonkeyPatch

    def status(self, query: str, status: int, body: bytes | None = None, **how: Any) -> None:
        how = {"times": None, **how}
        self.sandbox.faults.add(query, "status", status=status, body=body, **how)

    def rows(self, endpoint: str, alter: Callable[[Any], Any]) -> None:
        company = self.sandbox.grants["demo"].company
        self.sandbox.grants["demo"] = Grant(Altered(company, endpoint, alter))

    def each(self, endpoint: str, alter: Callable[[Any], dict[str, Any]]) -> None:
        self.rows(endpoint, lambda rows: [{**row, **alter(row)} for row in rows])

    def budget(self, **how: Any) -> None:
        self.sandbox.service.budget = Budget(**how)


Arrange: TypeAlias = "Callable[[Lab], object]"


def as_it_is(lab: Lab) -> None:
    """The sandbox answers so."""


def now() -> dt.datetime:
    return dt.datetime.now(dt.timezone.utc).replace(microsecond=0)


def pass_over_filters(lab: Lab) -> None:
    everything = lambda self, *_, **__: range(len(self.rows))  # noqa: E731
    lab.patch.setattr(Listing, "select", everything)


def pass_over_sorts(lab: Lab) -> None:
    lab.patch.setattr(listing, "parse_sort", lambda *_: ())


def danish_time(lab: Lab) -> None:
    lab.sandbox.service.zone = "copenhagen"
    lab.each(CUSTOMERS, lambda row: {"lastUpdated": now()})


def stamps(at: dt.datetime) -> Arrange:
    return lambda lab: lab.each(CUSTOMERS, lambda row: {"lastUpdated": at})


def no_pagination(lab: Lab) -> None:
    answer = rest.answer

    def bare(call: Any) -> Any:
        whole = answer(call)
        return replace(whole, body=re.sub(rb',"pagination":\{[^}]*\}', b"", whole.body))

    lab.patch.setattr(rest, "answer", bare)


def group_answers(status: int, body: bytes = b"") -> Arrange:
    return lambda lab: lab.status("/accrualsettings", status, body)


def created(seconds: int) -> Arrange:
    """Each entry is created so many seconds after the one before."""

    def moment(row: Any) -> dict[str, Any]:
        return {"creationDate": now() + dt.timedelta(seconds=seconds * row["entryNumber"])}

    return lambda lab: lab.each(ENTRIES, moment)


def open_credit_notes(lab: Lab) -> None:
    lab.each(INVOICES, lambda row: {"netAmount": -row["netAmount"]})


def credit_notes_not_listed(lab: Lab) -> None:
    open_credit_notes(lab)
    lab.rows("rest:/invoices/unpaid", lambda rows: rows[:-1])


def totals_without_openings(lab: Lab) -> None:
    openings = {
        row["accountNumber"]: row["amountInBaseCurrency"]
        for row in company().rows(ENTRIES)
        if row["type"] == 7
    }

    def less(row: Any) -> dict[str, Any]:
        opening = openings.get(row["account"]["accountNumber"], 0)
        return {"totalInBaseCurrency": row["totalInBaseCurrency"] - opening}

    lab.each("rest:/accounting-years/{accountingYear}/totals", less)


def twice(rows: Any) -> Any:
    return [*rows, rows[0]]


def numbers_up(endpoint: str, name: str, by: int) -> Arrange:
    return lambda lab: lab.each(endpoint, lambda row: {name: row[name] + by})


def counted_from_one(lab: Lab) -> None:
    lab.rows("customersapi:/Contacts", lambda rows: [row for row in rows if row["number"] == 1])


def calendar_years(lab: Lab) -> None:
    lab.rows("rest:/accounting-years", lambda rows: [it for it in rows if "/" not in it["year"]])


def filters_taken(lab: Lab) -> None:
    lab.status(r"/entries\?.*filter=", 200, b'{"collection":[]}')


@dataclass(frozen=True)
class Case:
    """How the sandbox is made to give one answer, and what has to be found."""

    key: str
    answer: str
    arrange: Any
    words: str
    check: str = ""
    grant: str = "demo"


def case(key: str, answer: str, arrange: Any, words: str, *, check: str = "") -> Case:
    return Case(key, answer, arrange, words, check)


CASES = [
    case("instants-in-filters", YES, as_it_is, "taken and obeyed"),
    case(
        "instants-in-filters",
        NO,
        lambda lab: lab.status(f"/Contacts.*{INSTANT}", 400, NO_FILTER),
        "refused with 400",
    ),
    case("instants-in-filters", NO, pass_over_filters, "older rows came as well"),
    case(
        "instants-in-filters",
        NO,
        lambda lab: lab.status(f"/Contacts.*{INSTANT}", 200, b'{"items":[]}'),
        "nothing was found",
    ),
    case(
        "instants-in-filters",
        UNKNOWN,
        lambda lab: lab.status("/Contacts", 503),
        "answered 503",
    ),
    case(
        "instants-in-filters",
        UNKNOWN,
        lambda lab: lab.rows("customersapi:/Contacts", lambda rows: []),
        "there is nothing to find",
    ),
    case("instants-in-changelog", YES, as_it_is, "taken and obeyed"),
    case(
        "instants-in-changelog",
        NO,
        lambda lab: lab.status(f"/changelog.*{INSTANT}", 400, NO_FILTER),
        "refused with 400",
    ),
    case("module-versions", YES, as_it_is, "answers", check="journalsapi"),
    case(
        "module-versions",
        NO,
        lambda lab: lab.sandbox.retire("journalsapi", "15.0.0", 410),
        "does not answer: 410",
        check="journalsapi",
    ),
    case("newer-versions", YES, as_it_is, "answers", check="accountsapi 7.0.1"),
    case(
        "newer-versions",
        NO,
        lambda lab: lab.sandbox.retire("accountsapi", "7.0.1", 404),
        "does not answer: 404",
        check="accountsapi 7.0.1",
    ),
    case(
        "gone-versions",
        YES,
        lambda lab: lab.sandbox.retire("bookedEntriesapi", "1.0.0", 410),
        "told with 410",
    ),
    case(
        "gone-versions",
        NO,
        lambda lab: lab.sandbox.retire("bookedEntriesapi", "1.0.0", 403),
        "told with 403",
    ),
    case("gone-versions", UNKNOWN, as_it_is, "this version is still served"),
    case("sorted-by-key", YES, as_it_is, "sorted", check="currencies"),
    case(
        "sorted-by-key",
        NO,
        lambda lab: lab.status("/currencies.*sort=", 400),
        "refused with 400",
        check="currencies",
    ),
    case("sorted-by-key", NO, pass_over_sorts, "the sort was passed over", check="units"),
    case("sort-obeyed", YES, as_it_is, "sorted"),
    case("sort-obeyed", NO, pass_over_sorts, "the sort was passed over"),
    case(
        "missing-module",
        YES,
        lambda lab: lab.sandbox.grants.update(demo=Grant(company(), modules=frozenset())),
        "told with 403",
    ),
    case(
        "missing-module",
        NO,
        lambda lab: lab.status("^/dimensionsapi", 400, NO_MODULE),
        "told with 400",
    ),
    case("missing-module", UNKNOWN, as_it_is, "the agreement has the modules"),
    case(
        "instants-in-utc",
        YES,
        stamps(dt.datetime(2026, 3, 29, 2, 30, tzinfo=dt.timezone.utc)),
        "a stamp is in the hour that Danish clocks skip in spring: UTC",
    ),
    case(
        "instants-in-utc",
        NO,
        danish_time,
        "a stamp is ahead of e-conomic's own clock: Danish time",
    ),
    case(
        "instants-in-utc",
        UNKNOWN,
        lambda lab: lab.each(CUSTOMERS, lambda row: {"lastUpdated": now()}),
        "nothing was changed",
    ),
    case("same-clock", YES, as_it_is, "both show the same"),
    case(
        "same-clock",
        NO,
        lambda lab: lab.each(
            "productsapi:/products",
            lambda row: {"lastUpdated": row["lastUpdated"] + dt.timedelta(hours=1)},
        ),
        "one or two hours apart",
    ),
    case("dates-are-days", YES, as_it_is, "a day with a midnight"),
    case(
        "dates-are-days",
        NO,
        lambda lab: lab.each(ENTRIES, lambda row: {"date": Raw('"2026-03-31T22:00:00Z"')}),
        "other than a midnight: 9999-99-99T99:99:99Z",
    ),
    case("no-remainder", YES, as_it_is, "only entries with a remainder were found"),
    case(
        "no-remainder",
        NO,
        lambda lab: lab.each(ENTRIES, lambda row: {"remainder": row["remainder"] or None}),
        "entries without a remainder were found as well",
    ),
    case(
        "no-remainder",
        NO,
        lambda lab: lab.status("remainder", 400, NO_FILTER),
        "the filter was refused with 400",
    ),
    case("counts", YES, as_it_is, "counted"),
    case("counts", NO, lambda lab: lab.status("/count", 404), "not counted: answered 404"),
    case("pages-told", YES, as_it_is, "it does"),
    case("pages-told", NO, no_pagination, "it does not"),
    case("budget-told", YES, as_it_is, "token-limit-9-per-9-seconds: 9/9"),
    case("budget-told", NO, lambda lab: lab.budget(headers=False), "no header"),
    case("budget-told", NO, lambda lab: lab.budget(form="plenty"), "plenty"),
    case("budget-used", YES, as_it_is, "the figure stays low: tokens used"),
    case(
        "budget-used",
        NO,
        lambda lab: lab.budget(counts="left"),
        "the figure stays high: tokens left",
    ),
    case("budget-used", UNKNOWN, lambda lab: lab.budget(headers=False), "no answer tells"),
    case(
        "retry-after",
        YES,
        lambda lab: lab.status("/count", 429, times=1, retry_after="7"),
        "Retry-After in seconds",
    ),
    case(
        "retry-after",
        NO,
        lambda lab: lab.status("/count", 429, times=1),
        "429 without Retry-After",
    ),
    case("retry-after", UNKNOWN, as_it_is, "no call was refused"),
    case("no-settings", YES, group_answers(404), "404"),
    case("no-settings", NO, group_answers(204), "204 with nothing in it"),
    case("no-settings", NO, group_answers(200, b"null"), "200 with nothing in it"),
    case("no-settings", UNKNOWN, group_answers(200, b'{"accrue":true}'), "has settings"),
    case("numbers-rise", YES, created(1), "numbers rise with time"),
    case("numbers-rise", NO, created(-1), "a lower number was made later"),
    case("numbers-rise", UNKNOWN, as_it_is, "fewer than two times of creation"),
    case("unpaid-complete", YES, open_credit_notes, "all are listed, credit notes among them"),
    case("unpaid-complete", NO, credit_notes_not_listed, "is not listed"),
    case("unpaid-complete", UNKNOWN, as_it_is, "there is no open credit note"),
    case("year-totals", YES, as_it_is, "opening entries are counted"),
    case("year-totals", NO, totals_without_openings, "opening entries are left out"),
    case(
        "inferred-keys",
        YES,
        as_it_is,
        "no key twice on the first page",
        check="booked-entries/matched-pairs",
    ),
    case(
        "inferred-keys",
        NO,
        lambda lab: lab.rows("bookedEntriesapi:/booked-entries/matched-pairs", twice),
        "a key comes twice",
        check="booked-entries/matched-pairs",
    ),
    case("document-ids", YES, as_it_is, "the invoices' net amounts are those of their lines"),
    case("document-ids", NO, numbers_up(LINES, "documentId", 1), "have other amounts"),
    case("document-ids", NO, numbers_up(LINES, "documentId", 500_000), "are not there"),
    case("joined-numbers", YES, as_it_is, "the same numbers", check="contacts"),
    case(
        "joined-numbers",
        NO,
        numbers_up("rest:/customers/{customerNumber}/contacts", "customerContactNumber", 9_000),
        "other numbers",
        check="contacts",
    ),
    case(
        "joined-numbers",
        NO,
        numbers_up("customersapi:/DeliveryLocations", "number", 9_000),
        "other numbers",
        check="delivery locations",
    ),
    case("joined-numbers", UNKNOWN, counted_from_one, "may be chance", check="contacts"),
    case("draft-numbers", YES, as_it_is, "draftInvoiceNumber is the older API's"),
    case(
        "draft-numbers",
        NO,
        lambda lab: lab.each(DRAFTS, lambda row: {"number": row["draftInvoiceNumber"]}),
        "number is the older API's",
    ),
    case(
        "draft-numbers",
        UNKNOWN,
        lambda lab: lab.each(
            DRAFTS, lambda row: {"number": row["draftInvoiceNumber"], "draftInvoiceNumber": None}
        ),
        "which may be chance",
    ),
    case(
        "draft-numbers",
        NO,
        lambda lab: lab.each(DRAFTS, lambda row: {"draftInvoiceNumber": None}),
        "neither is the older API's",
    ),
    case("year-names", YES, as_it_is, "found"),
    case(
        "year-names",
        NO,
        lambda lab: lab.status("/accounting-years/2025_6_2026", 404),
        "not found: 404",
    ),
    case("year-names", UNKNOWN, calendar_years, "every fiscal year is a calendar year"),
    case(
        "filters-of-entries",
        YES,
        lambda lab: lab.status(r"/entries\?.*filter=", 400, NO_FILTER),
        "refused with 400",
        check="remainder",
    ),
    case("filters-of-entries", NO, filters_taken, "taken", check="remainder"),
    case("filters-of-entries", NO, filters_taken, "taken", check="account.accountNumber"),
    case(
        "balance-alone",
        YES,
        stamps(dt.datetime(2020, 1, 1, tzinfo=dt.timezone.utc)),
        "invoiced a month after its lastUpdated",
    ),
    case("balance-alone", NO, stamps(now()), "as late as the customer's newest invoice"),
]


def run(
    patch: pytest.MonkeyPatch, sandbox: Sandbox, report: Path, *arguments: str
) -> dict[str, Any]:
    """Run the command line in this process, and return its report."""
    urls = ["--rest-url", sandbox.url, "--openapi-url", sandbox.url]
    line = ["live-check", *urls, "--pause=0", "--report", str(report), *arguments]
    patch.setattr(sys, "argv", line)
    assert live_check.main() == 0
    found: dict[str, Any] = json.loads(report.read_text("utf-8"))
    return found


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The script's pauses, which are noted and not made; no settings in the environment."""
    noted: list[float] = []
    monkeypatch.setattr(live_check, "time", SimpleNamespace(sleep=noted.append))
    for name in ("APP_SECRET_TOKEN", "AGREEMENT_GRANT_TOKEN", "REST_URL", "OPENAPI_URL"):
        monkeypatch.delenv("TAP_VISMA_ECONOMIC_" + name, raising=False)
    return noted


@pytest.mark.parametrize("case", CASES, ids=lambda it: f"{it.key}, {it.answer}: {it.words[:30]}")
def test_each_of_the_answers_is_named(
    case: Case, monkeypatch: pytest.MonkeyPatch, waits: list[float], tmp_path: Path
) -> None:
    with Sandbox({"demo": Grant(company())}) as sandbox:
        case.arrange(Lab(sandbox, monkeypatch))
        only = ["--only", case.key, "--only", "counts"]  # some look at the answers of others
        report = run(monkeypatch, sandbox, tmp_path / "report.json", *only)
    found = report["findings"][f"{case.key}: {case.check}" if case.check else case.key]
    assert found["answer"] == case.answer, found
    assert case.words in found["seen"]


def test_both_answers_of_every_assumption_are_tried() -> None:
    tried = {(case.key, case.answer) for case in CASES}
    assert tried >= {(key, answer) for key in checks.CHECKS for answer in (YES, NO)}


def test_every_module_and_every_inferred_key_of_the_tap_is_asked_about() -> None:
    assert checks.MODULES.keys() == MODULE_VERSIONS.keys()
    streams: list[Any] = [stream for stream in STREAMS if stream.key_is_inferred]
    inferred = {f"{it.module}:{it.path}": it.primary_keys[1:] for it in streams}
    asked = {path.partition("?")[0]: keys for path, keys in checks.INFERRED.items()}
    assert asked == inferred


def test_each_row_of_the_page_has_its_checks_and_names_a_test() -> None:
    rows = [it for it in checks.PAGE.read_text("utf-8").splitlines() if it.startswith("| ")][1:]
    assert list(checks.assumptions()) == list(checks.CHECKS)
    assert len(rows) == len(checks.CHECKS)
    for row in rows:
        (file, test) = re.findall(r"`(test_\w+\.py)::(test_\w+)` \|$", row)[0]
        assert f"def {test}(" in (ROOT / "tests" / file).read_text("utf-8")


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


def test_what_has_changed_since_an_earlier_report_is_told(
    monkeypatch: pytest.MonkeyPatch,
    waits: list[float],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    first, second = tmp_path / "first.json", tmp_path / "second.json"
    compare = ["--only=counts", f"--compare={first}"]
    with Sandbox({"demo": Grant(company())}) as sandbox:
        run(monkeypatch, sandbox, first, "--only=counts")
        run(monkeypatch, sandbox, second, *compare)
        assert "What has changed:\nnothing\n" in capsys.readouterr().out
        sandbox.faults.add("/count", "status", status=404, times=None)
        run(monkeypatch, sandbox, second, *compare)
    changed = "counts\n  was  as assumed: counted\n  now  otherwise: not counted: answered 404\n"
    assert f"What has changed:\n{changed}" in capsys.readouterr().out


@pytest.mark.parametrize("text", ["", "[]", '{"findings": {"counts": {}}}', None])
def test_an_earlier_report_that_is_none_is_told_before_anything_is_asked(
    text: str | None, monkeypatch: pytest.MonkeyPatch, waits: list[float], tmp_path: Path
) -> None:
    earlier = tmp_path / "earlier.json"
    if text is not None:
        earlier.write_text(text)
    with (
        Sandbox({"demo": Grant(company())}) as sandbox,
        pytest.raises(SystemExit, match="is no report of make live-check"),
    ):
        run(monkeypatch, sandbox, tmp_path / "report.json", f"--compare={earlier}")
    assert sandbox.log == []


def test_a_call_that_is_refused_for_the_budget_is_waited_for_once(
    monkeypatch: pytest.MonkeyPatch, waits: list[float], tmp_path: Path
) -> None:
    with Sandbox({"demo": Grant(company())}) as sandbox:
        sandbox.faults.add("", "status", status=429, retry_after="7", nth=3, times=None)
        report = run(monkeypatch, sandbox, tmp_path / "report.json")
    assert [wait for wait in waits if wait] == [7]
    assert len(sandbox.log) == 4, "two answers, a refusal, another after the wait"
    reasons = {it["seen"] for it in report["findings"].values()}
    assert "not asked: e-conomic refused a call for its budget" in reasons


def test_a_budget_that_others_want_is_left_to_them(
    monkeypatch: pytest.MonkeyPatch, waits: list[float], tmp_path: Path
) -> None:
    with Sandbox({"demo": Grant(company())}) as sandbox:
        sandbox.service.budget = Budget(limit=20, window=60, enabled=False)
        report = run(monkeypatch, sandbox, tmp_path / "report.json")
    assert [wait for wait in waits if wait] == [60]
    assert len(sandbox.log) < 5
    reasons = {it["seen"] for it in report["findings"].values()}
    assert "not asked: the call budget is wanted by others" in reasons


def test_tokens_that_are_refused_end_it_at_once(
    monkeypatch: pytest.MonkeyPatch, waits: list[float], tmp_path: Path
) -> None:
    with (
        canary_sandbox({GRANT: Grant(company())}) as sandbox,
        pytest.raises(SystemExit, match="refuses the tokens"),
    ):
        run(monkeypatch, sandbox, tmp_path / "report.json")
    assert len(sandbox.log) == 1


def test_a_host_that_does_not_answer_is_told(
    monkeypatch: pytest.MonkeyPatch, waits: list[float], tmp_path: Path
) -> None:
    with Sandbox({"demo": Grant(company())}) as sandbox:
        pass
    with pytest.raises(SystemExit, match=r"No answer from 127\.0\.0\.1"):
        run(monkeypatch, sandbox, tmp_path / "report.json")
    assert [wait for wait in waits if wait] == [6]


@pytest.mark.parametrize("status", [302, 403, 500, 503])
def test_a_refusal_of_everything_tells_nothing(
    status: int, monkeypatch: pytest.MonkeyPatch, waits: list[float], tmp_path: Path
) -> None:
    with Sandbox({"demo": Grant(company())}) as sandbox:
        sandbox.faults.add("", "status", status=status, times=None)
        report = run(monkeypatch, sandbox, tmp_path / "report.json")
    told = {key for key, it in report["findings"].items() if it["answer"] != UNKNOWN}
    assert told == {"budget-told", "budget-used"}


@pytest.mark.parametrize("role", ["Sales", "Bookkeeping"])
def test_what_a_role_may_not_read_is_no_answer(
    role: str, monkeypatch: pytest.MonkeyPatch, waits: list[float], tmp_path: Path
) -> None:
    with Sandbox({"demo": Grant(company(), role=role)}) as sandbox:
        filters = Lab(sandbox, monkeypatch)
        filters.status(r"^/accounting-years/[^/]+/entries", 403)
        report = run(monkeypatch, sandbox, tmp_path / "report.json")
    assert [key for key, it in report["findings"].items() if it["answer"] == NO] == []


def test_a_year_with_a_letter_is_asked_for_in_economics_own_encoding(
    monkeypatch: pytest.MonkeyPatch, waits: list[float], tmp_path: Path
) -> None:
    with Sandbox({"demo": Grant(company())}) as sandbox:
        report = run(monkeypatch, sandbox, tmp_path / "report.json", "--only=year-names")
        assert sandbox.requests("/accounting-years/2025_6_2026a$")
    assert report["findings"]["year-names"]["seen"] == "found"


@pytest.mark.parametrize(
    "body",
    [b"<html>", b"null", b"[]", b"{}", b'{"items":[1]}', b'{"collection":[{"self":"x"}]}', b'"x"'],
)
def test_answers_of_any_form_are_no_traceback(
    body: bytes, monkeypatch: pytest.MonkeyPatch, waits: list[float], tmp_path: Path
) -> None:
    with Sandbox({"demo": Grant(company())}) as sandbox:
        sandbox.faults.add("", "status", status=200, body=body, times=None)
        report = run(monkeypatch, sandbox, tmp_path / "report.json")
    assert len(report["findings"]) > 40


def test_a_code_that_is_none_of_economics_stays_out_of_the_report(
    monkeypatch: pytest.MonkeyPatch, waits: list[float], tmp_path: Path
) -> None:
    body = json.dumps({"errorCode": "Hansen", "errors": [{"code": "12345678"}, 3]}).encode()
    with Sandbox({"demo": Grant(company())}) as sandbox:
        sandbox.faults.add("", "status", status=400, body=body, times=None)
        report = run(monkeypatch, sandbox, tmp_path / "report.json")
    assert {code for it in report["findings"].values() for code in it["codes"]} == set()
