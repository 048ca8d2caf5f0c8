"""The standard sandbox: its companies behind its server, and the command that starts it."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote
from urllib.request import Request, urlopen

import pytest

from tests.sandbox import Sandbox
from tests.sandbox.client import get
from tests.sandbox.facts import FACTS, Endpoint
from tests.sandbox.matching import getter
from tests.sandbox.standard import standard_grants
from tests.sandbox.values import path_part

# A parent's listing and the property whose value stands in the path, per path parameter.
PARENTS = {
    "{accountingYear}": ("rest:/accounting-years", "year"),
    "{accountingYearPeriod}": ("rest:/accounting-years/{accountingYear}/periods", "periodNumber"),
    "{bookedInvoiceNumber}": ("rest:/invoices/booked", "bookedInvoiceNumber"),
    "{customerNumber}": ("rest:/customers", "customerNumber"),
    "{journalNumber}": ("rest:/journals", "journalNumber"),
    "{priceGroupNumber}": ("productsapi:/pricegroups", "number"),
    "{productGroupNumber}": ("rest:/product-groups", "productGroupNumber"),
    "{productNumber}": ("rest:/products", "productNumber"),
    "{productSpecialPriceNumber}": (
        "productsapi:/pricegroups/{priceGroupNumber}/specialprices",
        "number",
    ),
}
LISTINGS = [name for name, fact in FACTS.items() if fact.kind != "singleton"]


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(standard_grants()) as running:
        yield running


def parameters(sandbox: Sandbox, name: str) -> tuple[str, ...]:
    """Path parameters under which an endpoint of the main company has rows."""
    company = sandbox.grants["demo"].company
    found: tuple[str, ...] = ()
    for parameter in re.findall(r"\{\w+\}", FACTS[name].path):
        if parameter == "{documentStatus}":
            return ("drafts",)
        listing, key = PARENTS[parameter]
        above = parameters(sandbox, listing) if "{" in listing else ()
        values = [str(row[key]) for row in company.rows(listing, above)]
        found = next(
            ((*found, value) for value in values if _has_rows(sandbox, name, (*found, value))),
            (*found, values[0]),
        )
    return found


def _has_rows(sandbox: Sandbox, name: str, params: tuple[str, ...]) -> bool:
    if len(params) < FACTS[name].parameters:
        return True
    return len(sandbox.grants["demo"].company.rows(name, params)) > 0


def path(fact: Endpoint, template: str, params: tuple[Any, ...]) -> str:
    values = iter(params)

    def filled(_: re.Match[str]) -> str:
        value = next(values)
        return path_part(value) if fact.is_rest else quote(str(value), safe="")

    prefix = "" if fact.is_rest else f"/{fact.api}/v{fact.version}"
    return prefix + re.sub(r"\{\w+\}", filled, template)


def read(sandbox: Sandbox, name: str, params: tuple[str, ...]) -> list[Any]:
    """All rows of a listing, page by page, as the documents say to read it."""
    fact = FACTS[name]
    rows: list[Any] = []
    if fact.kind == "cursor":
        target = path(fact, fact.path, params)
        cursor = ""
        while True:
            body = get(sandbox, f"{target}?cursor={quote(cursor)}").json
            rows += body["items"]
            if "cursor" not in body:
                return rows
            cursor = body["cursor"]
    size, pages = (1000, "pagesize") if fact.is_rest else (100, "pageSize")
    target = path(fact, fact.path if fact.is_rest else fact.paged or fact.path, params)
    for number in range(101):
        page = get(sandbox, f"{target}?{pages}={size}&skippages={number}").rows
        rows += page
        if len(page) < size:
            break
    return rows


@pytest.mark.parametrize("name", LISTINGS)
def test_a_listing_gives_every_row_once(sandbox: Sandbox, name: str) -> None:
    params = parameters(sandbox, name)
    key = [getter(part) for part in FACTS[name].key]
    seen = {tuple(part(row) for part in key) for row in read(sandbox, name, params)}
    assert seen
    assert len(seen) == len(sandbox.grants["demo"].company.rows(name, params))


@pytest.mark.parametrize("name", [name for name in LISTINGS if FACTS[name].count])
def test_a_count_is_the_number_of_rows(sandbox: Sandbox, name: str) -> None:
    params = parameters(sandbox, name)
    count = get(sandbox, path(FACTS[name], FACTS[name].count or "", params)).json
    assert count == len(sandbox.grants["demo"].company.rows(name, params))


@pytest.mark.parametrize("name", [name for name in LISTINGS if FACTS[name].items])
def test_a_row_of_a_listing_has_a_path_of_its_own(sandbox: Sandbox, name: str) -> None:
    params, fact = parameters(sandbox, name), FACTS[name]
    rows = sandbox.grants["demo"].company.rows(name, params)
    row, lookup = rows[len(rows) // 2], fact.items[0]
    values = (*params, *(getter(part)(row) for part in lookup.by))
    assert get(sandbox, path(fact, lookup.path, values)).status == 200


@pytest.mark.parametrize("name", [name for name, f in FACTS.items() if f.kind == "singleton"])
def test_a_singleton_is_there(sandbox: Sandbox, name: str) -> None:
    fact = FACTS[name]
    assert get(sandbox, path(fact, fact.path, parameters(sandbox, name))).status == 200


@pytest.mark.parametrize("grant", ["demo-2", "demo-3", "no-modules", "sparse"])
def test_every_endpoint_answers_for_the_other_companies(sandbox: Sandbox, grant: str) -> None:
    plain = [fact for fact in FACTS.values() if "{" not in fact.path]
    modules = sandbox.grants[grant].company.modules
    expected = {f.name: 403 if f.module and f.module not in modules else 200 for f in plain}
    answered = {
        f.name: get(sandbox, path(f, f.paged or "" if f.kind == "paged" else f.path, ()), grant)
        for f in plain
    }
    assert {name: answer.status for name, answer in answered.items()} == expected


def test_each_grant_opens_its_own_company(sandbox: Sandbox) -> None:
    seen = {token: get(sandbox, "/self", token).json["agreementNumber"] for token in sandbox.grants}
    assert seen == {
        token: grant.company.agreement_number for token, grant in sandbox.grants.items()
    }


def test_a_command_starts_it_and_a_signal_ends_it() -> None:
    command = [sys.executable, "-m", "tests.sandbox", "--scale", "200", "--agreements", "1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        settings = json.loads(process.stdout.readline())
        tokens = {
            "X-AppSecretToken": settings["app_secret_token"],
            "X-AgreementGrantToken": "company-1",
        }
        with urlopen(Request(f"{settings['rest_url']}/self", headers=tokens)) as answer:
            number = json.load(answer)["agreementNumber"]
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=5) == 0
    assert number == settings["grants"]["company-1"]["agreement_number"]
