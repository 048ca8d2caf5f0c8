"""What e-conomic's responses say about an assumption.

Each judge takes the responses to a check's requests and returns what was found. The words of a
finding go into a report that anybody may see: they are written here, and hold nothing of a response
but statuses and the forms of dates and headers.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from email.utils import parsedate_to_datetime
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from tap_visma_economic.rate_limit import limit_of

if TYPE_CHECKING:
    from collections.abc import Mapping

Row: TypeAlias = "dict[str, Any]"

OPENING = 7  # type of an opening entry
NEWEST = 20  # invoices whose lines are requested: so few that the lines fit on a page
_CODE = re.compile(r"E\d{5}|([A-Z][a-z]{1,30}){2,9}")


class Finding(NamedTuple):
    """Whether an assumption holds, None if that could not be told; what was seen, or why not."""

    holds: bool | None
    words: str


class CannotTell(Exception):  # noqa: N818  no error: one of the findings
    """The responses do not tell which it is; the text says why."""


@dataclass(frozen=True)
class Reply:
    """One response; `body` is None where it is not JSON."""

    status: int
    headers: Mapping[str, str]
    body: Any

    @property
    def codes(self) -> list[str]:
        """e-conomic's own codes of an error, such as E04300 or BadFilterRequest."""
        if self.status < 400 or not isinstance(self.body, dict):
            return []
        errors = self.body.get("errors")
        listed = [it for it in errors if isinstance(it, dict)] if isinstance(errors, list) else []
        found = [it.get(name) for it in (self.body, *listed) for name in ("errorCode", "code")]
        return sorted({str(code) for code in found if _CODE.fullmatch(str(code))})


# --- what judges are made of ---


def either(holds: bool, yes: str, no: str) -> Finding:
    """Return the finding with the words that fit."""
    return Finding(holds, yes if holds else no)


def need(condition: object, why: str) -> None:
    """Go on only if the responses can tell which it is."""
    if not condition:
        raise CannotTell(why)


def ok(reply: Reply) -> Any:
    """Return the body of a response with status 200."""
    need(reply.status == 200, f"returned {reply.status}")
    return reply.body


def fault(reply: Reply) -> int:
    """Return a status that rejects the request, rather than reporting a fault of e-conomic's."""
    need(400 <= reply.status < 500 and reply.status != 429, f"returned {reply.status}")
    return reply.status


def rows(reply: Reply) -> list[Row]:
    """Return the rows of a page of either API."""
    body = ok(reply)
    if isinstance(body, dict):
        body = body.get("items" if "items" in body else "collection")
    listing = isinstance(body, list) and all(isinstance(row, dict) for row in body)
    need(listing, "returned something that is not a listing")
    found: list[Row] = body
    return found


def some(found: list[Row], what: str) -> list[Row]:
    """Return rows, of which there have to be some."""
    need(found, f"there are no {what}")
    return found


def form_of(text: str) -> str:
    """Return a text with a 9 for each digit: a form that gives nothing away."""
    return re.sub(r"\d", "9", text)


def stamp(row: Row, name: str) -> datetime | None:
    """Return an instant as the clock that it shows, whatever its zone."""
    text = str(row.get(name))[:19]
    shown = re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:]{8}", text)
    return datetime.fromisoformat(text) if shown else None


def stamps(reply: Reply, name: str) -> list[datetime]:
    """Return the instants of a page."""
    return [it for row in rows(reply) if (it := stamp(row, name))]


def latest(reply: Reply, name: str) -> datetime:
    """Return the latest instant of a page; any day if it has none."""
    return max(stamps(reply, name), default=datetime(2026, 1, 2, 3, 4, 5))  # noqa: DTZ001


def clock(reply: Reply) -> datetime:
    """Return what e-conomic's own clock showed."""
    return parsedate_to_datetime(reply.headers.get("Date", "")).replace(tzinfo=None)


def latest_customer(newer: Reply) -> int:
    """Return the customer of the row with the highest number that is not deleted."""
    found = [row for row in rows(newer) if row.get("customerNumber") and not row.get("isDeleted")]
    row = max(some(found, "rows of customers"), key=lambda row: row["number"])
    return int(row["customerNumber"])


def opening_of(opening: Reply, years: Reply) -> tuple[Row, Row]:
    """Return an opening entry and its fiscal year."""
    entries = [row for row in rows(opening) if row.get("amountInBaseCurrency")]
    entry = max(some(entries, "opening entries"), key=lambda row: row["accountNumber"])
    day = entry["date"][:10]
    of_it = [year for year in rows(years) if year["fromDate"] <= day <= year["toDate"]]
    need(of_it, "the opening entry is in no year")
    return entry, of_it[0]


# --- judges; partial() gives the names of columns and the words, where there are any ---


def by_status(yes: Mapping[int, str], no: Mapping[int, str], *replies: Reply) -> Finding:
    """What the last response's status says, which `{}` in the words stands for."""
    status = replies[-1].status
    need(status in {*yes, *no}, f"returned {status}")
    return Finding(status in yes, {**no, **yes}[status].format(status))


def gone(current: Reply, reply: Reply) -> Finding:
    """Whether a version that is not served is reported in one of the expected ways."""
    ok(current)
    need(reply.status != 200, "this version is still served")
    return Finding(reply.status in (400, 404, 410), f"reported with {fault(reply)}")


def no_settings(_: Reply, reply: Reply) -> Finding:
    """How the absence of a product group's settings is reported."""
    need(reply.status != 200 or not reply.body, "the product group has settings")
    return by_status({404: "404"}, dict.fromkeys((200, 204), "{} with nothing in it"), reply)


def taken_since(name: str, page: Reply, reply: Reply) -> Finding:
    """Whether a filter for what changed since the latest instant was accepted and obeyed."""
    if reply.status == 400:
        return Finding(False, "rejected with 400")
    found = stamps(reply, name)
    need(any(name in row for row in rows(page)), "accepted, but there is nothing to find")
    obeyed = bool(found) and min(found) >= latest(page, name)
    seen = "older rows were returned as well" if found else "nothing was found"
    return either(obeyed, "accepted and obeyed", f"accepted, but not obeyed: {seen}")


def sorted_by(name: str, reply: Reply) -> Finding:
    """Whether a listing obeys a descending sort; ascending is what it may do on its own."""
    if reply.status == 400:
        return Finding(False, "rejected with 400")
    values = [row[name] for row in rows(reply) if name in row]
    need(len(set(map(str, values))) > 1, "there are fewer than two rows to sort")
    obeyed = all(first >= second for first, second in pairwise(values))
    return either(obeyed, "sorted", "the sort was ignored")


def missing_module(*replies: Reply) -> Finding:
    """How a missing module is reported."""
    told_of = {it.status for it in replies if any("module" in code.lower() for code in it.codes)}
    if told_of:
        return Finding(told_of == {403}, f"reported with {', '.join(map(str, sorted(told_of)))}")
    worst = max(it.status for it in replies)
    need(any(it.status != 200 for it in replies), "the agreement has the modules")
    raise CannotTell(f"returned {worst}, without a module's code")


def in_utc(reply: Reply) -> Finding:
    """Whether instants are UTC: Danish ones run ahead, and skip an hour on a Sunday in March."""
    found, now = stamps(reply, "lastUpdated"), clock(reply)
    ahead = max((it - now for it in found), default=timedelta(0))
    if timedelta(minutes=5) < ahead <= timedelta(minutes=125):
        return Finding(False, "a timestamp is ahead of e-conomic's own clock: Danish time")
    if any((it.month, it.weekday(), it.hour) == (3, 6, 2) and it.day > 24 for it in found):
        return Finding(True, "a timestamp is in the hour that Danish clocks skip in spring: UTC")
    raise CannotTell(
        "nothing was changed in the last two hours. Save a customer in e-conomic and run this once "
        "more within ten minutes; if it is still not ahead of the clock, it is UTC"
    )


def same_clock(older: Reply, newer: Reply) -> Finding:
    """Whether both APIs show the same time for the same change of a product."""
    known = {row.get("productNumber"): stamp(row, "lastUpdated") for row in rows(older)}
    apart = [
        abs(round((at - before).total_seconds() / 60))
        for row in rows(newer)
        if (at := stamp(row, "lastUpdated")) and (before := known.get(row.get("productNumber")))
    ]
    need(apart, "no product has a timestamp in both")
    same, shifted = max(apart) <= 1, all(59 <= minutes <= 121 for minutes in apart)
    need(same or shifted, "neither the same nor one or two hours apart")
    return either(same, "both show the same", "one or two hours apart")


def days(reply: Reply) -> Finding:
    """Whether dates are served with a midnight."""
    values = [str(row["date"]) for row in some(rows(reply), "entries") if "date" in row]
    midnight = re.compile(r"\d{4}-\d\d-\d\dT00:00:00")
    odd = sorted({form_of(it) for it in values if not midnight.fullmatch(it)})
    shown = [it if re.fullmatch(r"[9:TZ.+-]{1,40}", it) else "no date at all" for it in odd]
    return either(not odd, "a day with a midnight", f"other than a midnight: {', '.join(shown)}")


def open_ones(reply: Reply) -> Finding:
    """Whether `remainder$ne:0` finds open entries, and nothing else."""
    if reply.status == 400:
        return Finding(False, "the filter was rejected with 400")
    with_one = all(row.get("remainder") for row in some(rows(reply), "open entries"))
    seen = "entries without a remainder were found as well"
    return either(with_one, "only entries with a remainder were found", seen)


def counted(listing: Reply, count: Reply) -> Finding:
    """Whether a listing has a count."""
    ok(listing)
    if count.status != 200:
        return Finding(False, f"not counted: returned {fault(count)}")
    return either(isinstance(count.body, int), "counted", "not counted: not a number")


def tells_of_pages(_: Reply, reply: Reply) -> Finding:
    """Whether a nested listing describes its pages."""
    rows(reply)
    return either(
        isinstance(reply.body.get("pagination"), dict),
        "pages are described",
        "pages are not described",
    )


def one_form(*replies: Reply) -> Finding:
    """Whether every response reports the rate limit, in one form that the tap reads."""
    texts = [it.headers.get("X-RateLimiting", "") for it in replies]
    forms = sorted({re.sub(r"\d+", "9", text)[:80] or "no header" for text in texts})
    safe = [it if re.fullmatch(r"(?i)[a-z9 :/.,=;-]+", it) else "unusual" for it in forms]
    return Finding(len(forms) == 1 and bool(limit_of(texts[0])), "; ".join(safe))


def means_used(*replies: Reply) -> Finding:
    """Whether the rate limit's figure means tokens used: this script's few calls use few."""
    limits = [limit_of(reply.headers.get("X-RateLimiting")) for reply in replies]
    shares = [it.used / it.limit for it in limits if it]
    need(shares, "no response reports the rate limit")
    low, high = max(shares) < 0.25, min(shares) > 0.75
    need(low or high, "others use the same rate limit")
    return either(low, "the figure stays low: tokens used", "the figure stays high: tokens left")


def says_how_long(*replies: Reply) -> Finding:
    """Whether a 429 says how long to wait."""
    rejected = [it for it in replies if it.status == 429]
    need(rejected, "no call was rejected, and this script does not provoke it")
    waits = {form_of(it.headers.get("Retry-After", "")) for it in rejected}
    form = "in seconds" if all(re.fullmatch("9+", wait) for wait in waits) else "in another form"
    return either(waits != {""}, f"Retry-After {form}", "429 without Retry-After")


def rising(reply: Reply) -> Finding:
    """Whether entries with higher numbers were created later."""
    made = sorted(
        (row["entryNumber"], row["creationDate"]) for row in rows(reply) if row.get("creationDate")
    )
    need(len({created for _, created in made}) > 1, "fewer than two creation times are served")
    rise = all(first[1] <= second[1] for first, second in pairwise(made))
    return either(rise, "numbers rise with time", "a lower number was made later")


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
    credit_notes = [row for row in open_rows if row["netAmount"] < 0]
    need(credit_notes, "there is no open credit note among the newest invoices")
    return Finding(True, "all are listed, credit notes among them")


def totals_of(opening: Reply, years: Reply, totals: Reply, entries: Reply) -> Finding:
    """Whether the total of a year counts its opening entries, on one account."""
    account = opening_of(opening, years)[0]["accountNumber"]
    total = {row["account"]["accountNumber"]: row["totalInBaseCurrency"] for row in rows(totals)}
    readable = account in total and "cursor" not in ok(entries)
    need(readable, "the account has no total, or more entries than one page")
    amounts = [(row["type"], Decimal(row["amountInBaseCurrency"])) for row in rows(entries)]
    every = sum(amount for _, amount in amounts)
    later = sum(amount for kind, amount in amounts if kind != OPENING)
    either_of_them = every != later and total[account] in (every, later)
    need(either_of_them, "the total is neither with the opening entries nor without them")
    with_them = total[account] == every
    return either(with_them, "opening entries are counted", "opening entries are omitted")


def distinct(names: tuple[str, ...], reply: Reply) -> Finding:
    """Whether no two rows of a page have the same values in these columns."""
    keys = [tuple(row.get(name) for name in names) for row in some(rows(reply), "rows")]
    once = len(set(keys)) == len(keys)
    return either(once, "no key twice on the first page", "a key comes twice")


def same_documents(invoices: Reply, lines: Reply) -> Finding:
    """Whether `documentId` is the invoice's number, by what the lines add up to."""
    need("cursor" not in ok(lines), "the invoices have more lines than one page")
    sums: dict[int, Decimal] = defaultdict(Decimal)
    for row in rows(lines):
        sums[row["documentId"]] += Decimal(row.get("totalNetAmount", 0))
    newest = [row for row in rows(invoices)[:NEWEST] if row["netAmount"]]
    nets = {row["bookedInvoiceNumber"]: Decimal(row["netAmount"]) for row in newest}
    agree = {number for number, net in nets.items() if sums.get(number) == net}
    amounts = {abs(net) for net in nets.values()}
    need(len(amounts) > 1, "there are no two invoices of different amounts")
    if not agree:
        why = "have other amounts" if sums.keys() & nets.keys() else "are not there"
        return Finding(False, f"lines under the invoices' numbers {why}")
    need(agree == nets.keys(), f"{len(agree)} of {len(nets)} invoices agree with their lines")
    return Finding(True, "the invoices' net amounts are those of their lines")


def same_numbers(name: str, newer: Reply, older: Reply) -> Finding:
    """Whether both APIs number what a customer has in the same way."""
    customer = latest_customer(newer)
    its = {it["number"] for it in rows(newer) if it["customerNumber"] == customer}
    theirs = {it[name] for it in some(rows(older), "rows in the older API")}
    if its == theirs and max(its) > len(its):
        return Finding(True, "the same numbers")
    # each API may count from one
    need(not its & theirs, "some numbers are the same, which may be chance")
    return Finding(False, "other numbers")


def other_drafts(older: Reply, newer: Reply) -> Finding:
    """Whether the newer API numbers drafts otherwise, and names the older number."""
    known = {row["draftInvoiceNumber"] for row in some(rows(older), "draft invoices")}
    drafts = some(rows(newer), "draft invoices in the newer API")
    named = [row for row in drafts if row.get("draftInvoiceNumber") in known]
    if any(row["number"] != row["draftInvoiceNumber"] for row in named):
        return Finding(True, "draftInvoiceNumber is the older API's, number is another")
    if len(named) > 1:
        return Finding(False, "number is the older API's")
    chance = named or {row["number"] for row in drafts} & known
    need(not chance, "a number is the same, which may be chance")
    return Finding(False, "neither is the older API's")


def stands_still(customers: Reply, invoices: Reply) -> Finding:
    """Whether `lastUpdated` stays behind the newest invoice, which moved the balance."""
    newest: dict[int, str] = {}
    for row in rows(invoices):
        number = row["customer"]["customerNumber"]
        if row["date"] < clock(invoices).date().isoformat():
            newest[number] = max(newest.get(number, ""), row["date"])
    seen = [
        (datetime.fromisoformat(newest[row["customerNumber"]]).date() - at.date()).days
        for row in rows(customers)
        if row.get("customerNumber") in newest and (at := stamp(row, "lastUpdated"))
    ]
    if any(later > 31 for later in seen):
        return Finding(True, "a customer was invoiced a month after its lastUpdated, or later")
    enough = len(seen) > 2 and max(seen) <= 0
    need(enough, "too few customers were invoiced, or not long enough after lastUpdated")
    return Finding(False, "every lastUpdated is as late as the customer's newest invoice")
