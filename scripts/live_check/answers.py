"""What an answer of e-conomic says of an assumption.

Each function takes the answers to a check's requests and returns what was found. The words of a
finding go into a report that is shown to everybody: they are written here, and hold nothing of an
answer but statuses and the forms of dates and headers.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from tap_visma_economic.rate_limit import told

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Judge: TypeAlias = "Callable[..., Finding]"

Row: TypeAlias = "dict[str, Any]"


class Finding(NamedTuple):
    """Which answer it was.

    Args:
        holds: whether it is as the tap takes for granted; None if that could not be told.
        words: what was seen, or why nothing could be told.
    """

    holds: bool | None
    words: str


class CannotTell(Exception):  # noqa: N818  no error: one of the findings
    """The answers do not tell which it is; the text says why."""


@dataclass(frozen=True)
class Reply:
    """One answer; `body` is None where it is no JSON."""

    status: int
    headers: Mapping[str, str]
    body: Any

    @property
    def codes(self) -> list[str]:
        """e-conomic's own codes of an error, such as E04300 or BadFilterRequest."""
        if self.status < HTTPStatus.BAD_REQUEST or not isinstance(self.body, dict):
            return []
        errors = self.body.get("errors")
        listed = [it for it in errors if isinstance(it, dict)] if isinstance(errors, list) else []
        found = [it.get(name) for it in (self.body, *listed) for name in ("errorCode", "code")]
        return sorted({str(code) for code in found if _CODE.fullmatch(str(code))})


_CODE = re.compile(r"E\d{5}|([A-Z][a-z]{1,30}){2,9}")


def ok(reply: Reply) -> Any:
    """Return the body of an answer with status 200."""
    if reply.status != HTTPStatus.OK:
        raise CannotTell(f"answered {reply.status}")
    return reply.body


def fault(reply: Reply) -> int:
    """Return a status that says no to the request, and not that e-conomic is out of order."""
    if not 400 <= reply.status < 500 or reply.status == HTTPStatus.TOO_MANY_REQUESTS:  # noqa: PLR2004
        raise CannotTell(f"answered {reply.status}")
    return reply.status


def rows(reply: Reply) -> list[Row]:
    """Return the rows of a page of either API."""
    body = ok(reply)
    if isinstance(body, dict):
        body = body.get("items" if "items" in body else "collection")
    if not isinstance(body, list) or not all(isinstance(row, dict) for row in body):
        raise CannotTell("answered something that is no listing")
    return body


def some(found: list[Row], what: str) -> list[Row]:
    """Return rows, of which there have to be some."""
    if not found:
        raise CannotTell(f"there are no {what}")
    return found


def form_of(text: str) -> str:
    """Return a text with a 9 for each digit: a form that gives nothing away."""
    return re.sub(r"\d", "9", text)


def stamp(value: object) -> datetime | None:
    """Return a served instant as the clock that it shows, whatever its zone."""
    text = str(value)[:19]
    return datetime.fromisoformat(text) if re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:]{8}", text) else None


def latest(reply: Reply, name: str) -> datetime:
    """Return the latest stamp of a page; any day if it has none."""
    stamps = [it for row in rows(reply) if (it := stamp(row.get(name)))]
    return max(stamps, default=datetime(2026, 1, 2, 3, 4, 5))  # noqa: DTZ001  as it is served


def taken_since(name: str) -> Judge:
    """Whether a filter that asks for what changed since the latest stamp was taken and obeyed."""

    def judge(page: Reply, reply: Reply) -> Finding:
        if reply.status == HTTPStatus.BAD_REQUEST:
            return Finding(False, "refused with 400")
        stamps = [it for row in rows(reply) if (it := stamp(row.get(name)))]
        if not any(name in row for row in rows(page)):
            raise CannotTell("taken, but there is nothing to find")
        if not stamps or min(stamps) < latest(page, name):
            seen = "older rows came as well" if stamps else "nothing was found"
            return Finding(False, f"taken, but not obeyed: {seen}")
        return Finding(True, "taken and obeyed")

    return judge


def served(reply: Reply) -> Finding:
    """Whether a module's version answers."""
    if reply.status == HTTPStatus.OK:
        return Finding(True, "answers")
    if reply.status in (400, 404, 410):
        return Finding(False, f"does not answer: {reply.status}")
    raise CannotTell(f"answered {reply.status}")


def gone(current: Reply, reply: Reply) -> Finding:
    """Whether a version that is not served is told in one of the expected ways."""
    ok(current)
    if reply.status == HTTPStatus.OK:
        raise CannotTell("this version is still served")
    return Finding(reply.status in (400, 404, 410), f"told with {fault(reply)}")


def sorted_by(name: str) -> Judge:
    """Whether a listing obeys a descending sort; ascending is what it may do on its own."""

    def judge(reply: Reply) -> Finding:
        if reply.status == HTTPStatus.BAD_REQUEST:
            return Finding(False, "refused with 400")
        values = [row[name] for row in rows(reply) if name in row]
        if len(set(map(str, values))) < 2:  # noqa: PLR2004
            raise CannotTell("there are fewer than two rows to sort")
        obeyed = all(first >= second for first, second in pairwise(values))
        return Finding(obeyed, "sorted" if obeyed else "the sort was passed over")

    return judge


def missing_module(*replies: Reply) -> Finding:
    """How a missing module is told."""
    told_of = [it for it in replies if any("module" in code.lower() for code in it.codes)]
    if told_of:
        statuses = sorted({it.status for it in told_of})
        return Finding(statuses == [403], f"told with {', '.join(map(str, statuses))}")
    if all(it.status == HTTPStatus.OK for it in replies):
        raise CannotTell("the agreement has the modules")
    raise CannotTell(f"answered {max(it.status for it in replies)}, without a module's code")


def in_utc(reply: Reply) -> Finding:
    """Whether stamps are UTC: Danish ones run ahead, and skip an hour on a Sunday in March."""
    stamps = [it for row in rows(reply) if (it := stamp(row.get("lastUpdated")))]
    now = parsedate_to_datetime(reply.headers.get("Date", "")).replace(tzinfo=None)
    ahead = max((it - now for it in stamps), default=timedelta(0))
    if timedelta(minutes=5) < ahead <= timedelta(minutes=125):
        return Finding(False, "a stamp is ahead of e-conomic's own clock: Danish time")
    if any(_skipped_in_denmark(it) for it in stamps):
        return Finding(True, "a stamp is in the hour that Danish clocks skip in spring: UTC")
    raise CannotTell(
        "nothing was changed in the last two hours. Save a customer in e-conomic and run this once "
        "more within ten minutes; if it is still not ahead of the clock, it is UTC"
    )


def _skipped_in_denmark(at: datetime) -> bool:
    last_sunday = at.month == 3 and at.weekday() == 6 and at.day > 24  # noqa: PLR2004
    return last_sunday and at.hour == 2  # noqa: PLR2004


def same_clock(older: Reply, newer: Reply) -> Finding:
    """Whether both APIs show the same time for the same change of a product."""
    known = {row.get("productNumber"): stamp(row.get("lastUpdated")) for row in rows(older)}
    apart = [
        round((at - before).total_seconds() / 60)
        for row in rows(newer)
        if (at := stamp(row.get("lastUpdated"))) and (before := known.get(row.get("productNumber")))
    ]
    if not apart:
        raise CannotTell("no product has a stamp in both")
    if all(abs(minutes) <= 1 for minutes in apart):
        return Finding(True, "both show the same")
    if all(abs(minutes) in range(59, 122) for minutes in apart):
        return Finding(False, "one or two hours apart")
    raise CannotTell("neither the same nor one or two hours apart")


def days(reply: Reply) -> Finding:
    """Whether dates are served with a midnight."""
    values = [str(row["date"]) for row in some(rows(reply), "entries") if "date" in row]
    midnight = re.compile(r"\d{4}-\d\d-\d\dT00:00:00")
    odd = sorted({form_of(it) for it in values if not midnight.fullmatch(it)})
    if odd:
        shown = [it if re.fullmatch(r"[9:TZ.+-]{1,40}", it) else "no date at all" for it in odd]
        return Finding(False, "other than a midnight: " + ", ".join(shown))
    return Finding(True, "a day with a midnight")


def open_ones(reply: Reply) -> Finding:
    """Whether `remainder$ne:0` finds open entries, and nothing else."""
    if reply.status == HTTPStatus.BAD_REQUEST:
        return Finding(False, "the filter was refused with 400")
    if all(row.get("remainder") for row in some(rows(reply), "open entries")):
        return Finding(True, "only entries with a remainder were found")
    return Finding(False, "entries without a remainder were found as well")


def counted(listing: Reply, count: Reply) -> Finding:
    """Whether a listing has a count."""
    ok(listing)
    if count.status != HTTPStatus.OK:
        return Finding(False, f"not counted: answered {fault(count)}")
    whole = isinstance(count.body, int)
    return Finding(whole, "counted" if whole else "not counted: no number")


def tells_of_pages(_: Reply, reply: Reply) -> Finding:
    """Whether a nested listing tells of its pages."""
    rows(reply)
    found = isinstance(reply.body.get("pagination"), dict)
    return Finding(found, "it does" if found else "it does not")


def one_form(*replies: Reply) -> Finding:
    """Whether every answer tells of the budget, in one form that the tap reads."""
    texts = [it.headers.get("X-RateLimiting", "") for it in replies]
    forms = sorted({re.sub(r"\d+", "9", text)[:80] or "no header" for text in texts})
    safe = [
        it if re.fullmatch(r"[a-z9 :/.,=;-]+", it, re.IGNORECASE) else "unusual" for it in forms
    ]
    return Finding(len(forms) == 1 and bool(told(texts[0])), "; ".join(safe))


def means_used(*replies: Reply) -> Finding:
    """Whether the figure of the budget tells tokens used: the few calls of this script use few."""
    shares = [
        it.used / it.limit for reply in replies if (it := told(reply.headers.get("X-RateLimiting")))
    ]
    if not shares:
        raise CannotTell("no answer tells of the budget")
    if max(shares) < 0.25:  # noqa: PLR2004
        return Finding(True, "the figure stays low: tokens used")
    if min(shares) > 0.75:  # noqa: PLR2004
        return Finding(False, "the figure stays high: tokens left")
    raise CannotTell("others use the same budget")


def says_how_long(*replies: Reply) -> Finding:
    """Whether a refused call says how long to wait."""
    refused = [it for it in replies if it.status == HTTPStatus.TOO_MANY_REQUESTS]
    if not refused:
        raise CannotTell("no call was refused, and this script does not provoke it")
    waits = {form_of(it.headers.get("Retry-After", "")) for it in refused}
    if waits == {""}:
        return Finding(False, "429 without Retry-After")
    seconds = all(re.fullmatch("9+", wait) for wait in waits)
    return Finding(True, f"Retry-After {'in seconds' if seconds else 'in another form'}")


def no_settings(_: Reply, reply: Reply) -> Finding:
    """How it is told that a product group has no settings."""
    if reply.status == HTTPStatus.OK and reply.body:
        raise CannotTell("the product group has settings")
    if reply.status in (HTTPStatus.OK, HTTPStatus.NO_CONTENT):
        return Finding(False, f"{reply.status} with nothing in it")
    if reply.status != HTTPStatus.NOT_FOUND:
        raise CannotTell(f"answered {reply.status}")
    return Finding(True, "404")


def rising(reply: Reply) -> Finding:
    """Whether entries with higher numbers were created later."""
    made = sorted(
        (row["entryNumber"], row["creationDate"]) for row in rows(reply) if row.get("creationDate")
    )
    if len({created for _, created in made}) < 2:  # noqa: PLR2004
        raise CannotTell("fewer than two times of creation are told")
    rise = all(first[1] <= second[1] for first, second in pairwise(made))
    return Finding(rise, "numbers rise with time" if rise else "a lower number was made later")


def all_unpaid(booked: Reply, unpaid: Reply) -> Finding:
    """Whether open invoices, credit notes among them, are listed as unpaid."""
    listed = {row["bookedInvoiceNumber"] for row in rows(unpaid)}
    whole = "nextPage" not in (unpaid.body.get("pagination") or {})
    open_rows = [
        row
        for row in rows(booked)
        if row.get("remainder") and (whole or row["bookedInvoiceNumber"] >= min(listed))
    ]
    if any(row["bookedInvoiceNumber"] not in listed for row in open_rows):
        return Finding(False, "an open invoice or credit note is not listed")
    if not any(row["netAmount"] < 0 for row in open_rows):
        raise CannotTell("there is no open credit note among the newest invoices")
    return Finding(True, "all are listed, credit notes among them")


def totals_of(opening: Reply, years: Reply, totals: Reply, entries: Reply) -> Finding:
    """Whether the total of a year counts its opening entries, on one account."""
    account = opening_of(opening, years)[0]["accountNumber"]
    total = [
        Decimal(row["totalInBaseCurrency"])
        for row in rows(totals)
        if row["account"]["accountNumber"] == account
    ]
    if not total or "cursor" in ok(entries):
        raise CannotTell("the account has no total, or more entries than one page")
    amounts = [(row["type"], Decimal(row["amountInBaseCurrency"])) for row in rows(entries)]
    every = sum(amount for _, amount in amounts)
    later = sum(amount for kind, amount in amounts if kind != OPENING)
    if every == later or total[0] not in (every, later):
        raise CannotTell("the total is neither with the opening entries nor without them")
    holds = total[0] == every
    return Finding(holds, f"opening entries are {'counted' if holds else 'left out'}")


OPENING = 7
"""Type of an opening entry."""


def opening_of(opening: Reply, years: Reply) -> tuple[Row, Row]:
    """Return an opening entry and its fiscal year."""
    entries = [row for row in rows(opening) if row.get("amountInBaseCurrency")]
    entry = max(some(entries, "opening entries"), key=lambda row: row["accountNumber"])
    day = entry["date"][:10]
    for year in rows(years):
        if year["fromDate"] <= day <= year["toDate"]:
            return entry, year
    raise CannotTell("the opening entry is in no year")


def distinct(*names: str) -> Judge:
    """Whether no two rows of a page have the same values in these columns."""

    def judge(reply: Reply) -> Finding:
        keys = [tuple(row.get(name) for name in names) for row in some(rows(reply), "rows")]
        holds = len(set(keys)) == len(keys)
        return Finding(holds, "no key twice on the first page" if holds else "a key comes twice")

    return judge


NEWEST = 20
"""Invoices whose lines are asked for: so few that their lines fit on a page."""


def same_documents(invoices: Reply, lines: Reply) -> Finding:
    """Whether `documentId` is the invoice's number, by what the lines add up to."""
    if "cursor" in ok(lines):
        raise CannotTell("the invoices have more lines than one page")
    sums: dict[int, Decimal] = defaultdict(Decimal)
    for row in rows(lines):
        sums[row["documentId"]] += Decimal(row.get("totalNetAmount", 0))
    newest = rows(invoices)[:NEWEST]
    nets = {row["bookedInvoiceNumber"]: Decimal(row["netAmount"]) for row in newest}
    nets = {number: net for number, net in nets.items() if net}
    agree = {number for number, net in nets.items() if sums.get(number) == net}
    if len({abs(net) for net in nets.values()}) < 2:  # noqa: PLR2004
        raise CannotTell("there are no two invoices of different amounts")
    if not agree:
        why = "have other amounts" if sums.keys() & nets.keys() else "are not there"
        return Finding(False, f"lines under the invoices' numbers {why}")
    if agree != nets.keys():
        raise CannotTell(f"{len(agree)} of {len(nets)} invoices agree with their lines")
    return Finding(True, "the invoices' net amounts are those of their lines")


def same_numbers(name: str) -> Judge:
    """Whether both APIs number what a customer has in the same way."""

    def judge(newer: Reply, older: Reply) -> Finding:
        customer = latest_customer(newer)
        its = {it["number"] for it in rows(newer) if it["customerNumber"] == customer}
        theirs = {it[name] for it in some(rows(older), "rows in the older API")}
        if its == theirs and max(its) > len(its):
            return Finding(True, "the same numbers")
        if its & theirs:  # each API may count from one
            raise CannotTell("some numbers are the same, which may be chance")
        return Finding(False, "other numbers")

    return judge


def latest_customer(newer: Reply) -> int:
    """Return the customer of the row with the highest number that is not deleted."""
    found = [row for row in rows(newer) if row.get("customerNumber") and not row.get("isDeleted")]
    latest = max(some(found, "rows of customers"), key=lambda row: row["number"])
    number: int = latest["customerNumber"]
    return number


def year_found(_: Reply, reply: Reply) -> Finding:
    """Whether a year such as 2025/2026 is found under 2025_6_2026."""
    if reply.status == HTTPStatus.OK:
        return Finding(True, "found")
    if reply.status not in (400, 404):
        raise CannotTell(f"answered {reply.status}")
    return Finding(False, f"not found: {reply.status}")


def refused(_: Reply, reply: Reply) -> Finding:
    """Whether a filter is refused."""
    if reply.status == HTTPStatus.OK:
        return Finding(False, "taken")
    if reply.status != HTTPStatus.BAD_REQUEST:
        raise CannotTell(f"answered {reply.status}")
    return Finding(True, "refused with 400")


def stands_still(customers: Reply, invoices: Reply) -> Finding:
    """Whether `lastUpdated` stays behind the newest invoice, which moved the balance."""
    now = parsedate_to_datetime(invoices.headers.get("Date", ""))
    today = now.date().isoformat()
    newest: dict[int, str] = {}
    for row in rows(invoices):
        if row["date"] < today:
            number = row["customer"]["customerNumber"]
            newest[number] = max(newest.get(number, ""), row["date"])
    seen = [
        (newest[row["customerNumber"]], at)
        for row in rows(customers)
        if row.get("customerNumber") in newest and (at := stamp(row.get("lastUpdated")))
    ]
    if any(day > (at + timedelta(days=31)).date().isoformat() for day, at in seen):
        return Finding(True, "a customer was invoiced a month after its lastUpdated, or later")
    if len(seen) < 3 or any(day > at.date().isoformat() for day, at in seen):  # noqa: PLR2004
        raise CannotTell("too few customers were invoiced, or not long enough after lastUpdated")
    return Finding(False, "every lastUpdated is as late as the customer's newest invoice")


def other_drafts(older: Reply, newer: Reply) -> Finding:
    """Whether the newer API numbers drafts otherwise, and names the older number."""
    known = {row["draftInvoiceNumber"] for row in some(rows(older), "draft invoices")}
    drafts = some(rows(newer), "draft invoices in the newer API")
    named = [row for row in drafts if row.get("draftInvoiceNumber") in known]
    if any(row["number"] != row["draftInvoiceNumber"] for row in named):
        return Finding(True, "draftInvoiceNumber is the older API's, number is another")
    if len(named) > 1:
        return Finding(False, "number is the older API's")
    if named or {row["number"] for row in drafts} & known:
        raise CannotTell("a number is the same, which may be chance")
    return Finding(False, "neither is the older API's")
