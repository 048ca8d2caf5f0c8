"""The chart of accounts: legacy REST and OpenAPI rows, total intervals and key figure codes.

An account's ``balance`` is the sum of the entries of the current accounting year (the one that
holds today), opening entries included: for a status account the true balance, for a profit and
loss account the year's result so far. A total's balance is the sum over the accounts it adds up,
a heading's is 0. ``draftBalance`` adds the entries that lie in journals, not yet booked. e-conomic
documents no more than "the current balance"; this reading is the sandbox's own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tests.sandbox.books.agreement import department_body, distribution_body
from tests.sandbox.books.money import kr
from tests.sandbox.books.rows import instant, listing, padded, ref, ref_or_none, version
from tests.sandbox.books.world import World
from tests.sandbox.values import Link, Row

KINDS = {
    "profitAndLoss": 1,
    "status": 2,
    "totalFrom": 3,
    "heading": 4,
    "headingStart": 5,
    "sumInterval": 6,
    "sumAlpha": 7,
}
PL, ST = "profitAndLoss", "status"

# The accounts that the story posts to by role.
SALES, SALES_EU, SALES_ABROAD, SALES_EXEMPT, FEES = 1010, 1030, 1040, 1050, 1060
GOODS, WAGES, MARKETING, MEALS, OFFICE, SOFTWARE, RENT = 1310, 2210, 2750, 2760, 3410, 3600, 3100
TRAVEL, EXCHANGE, PENNIES, DEPRECIATION = 2800, 4300, 4310, 4400
EQUIPMENT, STOCK, DEBTORS, DEBTORS_ABROAD, ONGOING = 5010, 5100, 5600, 5610, 5700
BANK, BANK_EUR, CASH, FORWARDS = 5820, 5830, 5840, 5890
CAPITAL, RETAINED, CREDITORS, CREDITORS_ABROAD, DEFERRED = 6100, 6110, 6800, 6810, 6850
VAT_OUT, VAT_IN, TAX, FORWARDS_OWED = 6902, 6903, 6950, 6960


@dataclass(frozen=True)
class Account:
    number: int
    name: str
    kind: str
    credit: bool | None = None
    vat: str | None = None
    contra: int | None = None
    total_from: int | None = None
    summed: tuple[tuple[int, int], ...] = ()
    barred: bool = False
    blocked: bool = False
    department: int | None = None
    distribution: int | None = None
    currency: str | None = None
    opening: int | None = None
    key_figure: int | None = None
    note: str | None = None
    asset_group: int | None = None


ACCOUNTS = (
    Account(1000, "RESULTATOPGØRELSE", "heading"),
    Account(1001, "Omsætning", "heading"),
    Account(SALES, "Salg af varer/ydelser m/moms", PL, True, "U25", key_figure=1),
    Account(1020, "Salg af abonnementer", PL, True, "U25", key_figure=1),
    Account(SALES_EU, "Salg af varer, EU", PL, True, key_figure=1),
    Account(SALES_ABROAD, "Salg uden for EU", PL, True, key_figure=1),
    # Once a total: e-conomic goes on showing what an account summed before it changed its type.
    Account(
        SALES_EXEMPT,
        "Salg u/moms, Danmark",
        PL,
        True,
        key_figure=1,
        total_from=1001,
        summed=((1002, 1049),),
    ),
    Account(FEES, 'Gebyrer & renter ("rykkere")', PL, True, key_figure=1),
    Account(1099, "Omsætning i alt", "totalFrom", True, total_from=1001),
    Account(1300, "Vareforbrug", "headingStart"),
    Account(GOODS, "Varekøb", PL, False, "I25", CREDITORS, department=1, key_figure=2),
    Account(1399, "Vareforbrug i alt", "totalFrom", False, total_from=1300),
    Account(WAGES, "Lønninger", PL, False, contra=BANK, distribution=100),
    Account(MARKETING, "Annoncer, reklame & 50 % øvrigt", PL, False, "I25", department=3),
    Account(MEALS, "Restaurantbesøg (repræsentation)", PL, False, "Rep"),
    Account(TRAVEL, "Kørsel og rejser", PL, False),
    Account(RENT, "Husleje", PL, False, "I25", BANK),
    Account(OFFICE, "Kontorartikler", PL, False, "I25", note="Under 500 kr. pr. stk."),
    Account(3500, "Lukket: telefon før 2020", PL, False, "I25", barred=True),
    Account(SOFTWARE, "Software, lejet i udlandet", PL, False, "IY25"),
    Account(EXCHANGE, "Kursreguleringer", PL, blocked=True),
    Account(PENNIES, "Øredifferencer", PL),
    Account(DEPRECIATION, "Afskrivninger", PL, False, contra=EQUIPMENT),
    Account(4499, "Omkostninger i alt", "sumInterval", summed=((2000, 2999), (3000, 4498))),
    Account(4900, "Resultat", "sumInterval", summed=((1002, 1098), (1301, 1398), (2000, 4498))),
    Account(4950, "Dækningsgrad", "sumAlpha"),
    Account(5000, "AKTIVER", "heading"),
    Account(5001, "Aktiver", "headingStart"),
    Account(EQUIPMENT, "Driftsmidler", ST, False, asset_group=1),
    Account(STOCK, "Varelager", ST, False),
    Account(DEBTORS, "Debitorer", ST, False, blocked=True),
    Account(DEBTORS_ABROAD, "Debitorer, udland", ST, False, blocked=True),
    Account(ONGOING, "Igangværende arbejder", ST, False),
    Account(BANK, "Bank", ST, False, key_figure=3),
    Account(BANK_EUR, "Bank, EUR-konto", ST, False, currency="EUR", key_figure=3),
    Account(CASH, "Kasse", ST, False),
    Account(FORWARDS, "Valutaterminer, tilgode", ST, False),
    Account(5999, "Aktiver i alt", "totalFrom", False, total_from=5001),
    Account(6000, "PASSIVER", "heading"),
    Account(6001, "Passiver", "headingStart"),
    Account(CAPITAL, "Egenkapital", ST, True, blocked=True),
    Account(RETAINED, "Overført resultat", ST, True),
    Account(CREDITORS, "Kreditorer", ST, True, blocked=True),
    Account(CREDITORS_ABROAD, "Kreditorer, udland", ST, True, blocked=True),
    Account(
        DEFERRED,
        "Periodiseret omsætning",
        ST,
        True,
        "U25",
        contra=1020,
        total_from=6001,
        summed=((6001, 6849),),
    ),
    Account(VAT_OUT, "Salgsmoms", ST, True, blocked=True),
    Account(VAT_IN, "Købsmoms", ST, True, blocked=True),
    Account(TAX, "Skyldig A-skat", ST, True),
    Account(FORWARDS_OWED, "Valutaterminer, skyldig", ST, True),
    Account(6999, "Passiver i alt", "totalFrom", True, total_from=6001),
)

# Number, name, the accounts a code sums from, with their labels, whether it tells a balance.
_KEY_FIGURES = (
    (1, "Nettoomsætning", 1001, "Omsætning", 1300, "Vareforbrug", False),
    (2, "Variable omkostninger", 1300, "Vareforbrug", 2000, "Løn", False),
    (3, "Likvide beholdninger", 5820, "Bank", 5840, "Kasse", True),
)

# What the accounts of the sample company are called in English.
IN_ENGLISH = {
    "Salg af varer/ydelser m/moms": "Sales with VAT",
    "Salg af abonnementer": "Subscriptions",
    "Salg af varer, EU": "Sales, EU",
    "Salg uden for EU": "Sales outside the EU",
    "Salg u/moms, Danmark": "Sales without VAT, Denmark",
    'Gebyrer & renter ("rykkere")': "Fees and interest",
    "Varekøb": "Cost of goods sold",
    "Lønninger": "Wages",
    "Annoncer, reklame & 50 % øvrigt": "Marketing",
    "Restaurantbesøg (repræsentation)": "Entertainment",
    "Kørsel og rejser": "Travel",
    "Husleje": "Rent",
    "Kontorartikler": "Office supplies",
    "Software, lejet i udlandet": "Software, bought abroad",
    "Kursreguleringer": "Exchange differences",
    "Øredifferencer": "Rounding differences",
    "Afskrivninger": "Depreciation",
    "Driftsmidler": "Equipment",
    "Varelager": "Inventory",
    "Debitorer": "Receivables",
    "Debitorer, udland": "Receivables, abroad",
    "Bank": "Bank",
    "Bank, EUR-konto": "Bank, EUR",
    "Kasse": "Cash",
    "Egenkapital": "Share capital",
    "Overført resultat": "Retained earnings",
    "Kreditorer": "Payables",
    "Kreditorer, udland": "Payables, abroad",
    "Periodiseret omsætning": "Deferred revenue",
    "Salgsmoms": "Output VAT",
    "Købsmoms": "Input VAT",
    "Skyldig A-skat": "Income tax withheld",
}

BY_NUMBER = {account.number: account for account in ACCOUNTS}
VAT_CODE_ACCOUNTS = {"U25": VAT_OUT, "I25": VAT_IN, "Rep": VAT_IN, "IY25": VAT_IN}


def _with_totals(totals: dict[int, int]) -> dict[int, int]:
    """The balance of every account, totals included, in øre of the base currency."""
    out = {}
    for account in ACCOUNTS:
        spans: tuple[tuple[int, int], ...] = ()
        if account.kind == "sumInterval":
            spans = account.summed
        elif account.kind == "totalFrom" and account.total_from is not None:
            spans = ((account.total_from, account.number),)
        out[account.number] = (
            sum(v for n, v in totals.items() if any(a <= n <= b for a, b in spans))
            if spans
            else totals.get(account.number, 0)
        )
    return out


def account_body(world: World, number: int) -> Row:
    """A whole account as legacy REST shows it, alone or inside a product group.

    The world keeps hold of the row and moves its balances whenever something is booked.
    """
    account = BY_NUMBER[number]
    dimensions = "Dimension" in world.modules
    department, split = (account.department, account.distribution) if dimensions else (None, None)
    row: Row = {
        "accountNumber": number,
        "accountType": account.kind,
        "balance": None,
        "draftBalance": None,
        "barred": account.barred,
        "blockDirectEntries": account.blocked,
        "contraAccount": ref_or_none("accountNumber", account.contra),
        "debitCredit": "credit" if account.credit else "debit",
        "department": department_body(department) if department else None,
        # Only the listing tells whether it is barred.
        "departmentalDistribution": distribution_body(split) | {"barred": None} if split else None,
        "name": account.name,
        "vatAccount": ref_or_none("vatCode", account.vat),
        "accountsSummed": [
            {"fromAccount": ref("accountNumber", a), "toAccount": ref("accountNumber", b)}
            for a, b in account.summed
        ]
        or None,
        "totalFromAccount": ref_or_none("accountNumber", account.total_from),
        "accountingYears": Link(f"/accounts/{number}/accounting-years"),
        "self": Link(f"/accounts/{number}"),
    }
    world.balance_rows.append((row, number))
    return row


def account_extract(world: World, number: int) -> Row:
    """The shorter account that legacy REST nests in customer groups."""
    body = account_body(world, number)
    wanted = ("accountNumber", "accountType", "balance", "blockDirectEntries", "debitCredit")
    row = {key: body[key] for key in (*wanted, "name", "accountingYears", "self")}
    world.balance_rows.append((row, number))
    return row


@listing("rest:/accounts")
def _rest_accounts(world: World) -> Iterator[Row]:
    for account in ACCOUNTS:
        yield account_body(world, account.number)


@listing("accountsapi:/Accounts")
def _accounts(world: World) -> Iterator[Row]:
    for index, account in enumerate(ACCOUNTS):
        changed = instant(index, world.today)
        yield {
            "number": account.number,
            "name": account.name,
            "isBarred": account.barred,
            "type": KINDS[account.kind],
            "vatAccountNumber": VAT_CODE_ACCOUNTS.get(account.vat or ""),
            "contraAccountNumber": account.contra,
            "totalFromAccountNumber": account.total_from,
            "openingAccountNumber": account.number if account.kind == ST else None,
            "realisationAccountNumber": EXCHANGE if account.currency else None,
            "totalIntervals": ",".join(f"{a}-{b}" for a, b in account.summed) or None,
            "isBlockedForDirectEntries": account.blocked,
            "isCredit": account.credit,
            "currency": account.currency,
            "assetGroupNumber": account.asset_group,
            "displayNumber": str(account.number),
            "isDepartmentMandatory": account.number == MARKETING,
            "isUnitMandatory": account.number == TRAVEL,
            "keyFigureCodeNumber": account.key_figure,
            "vatCode": padded(account.vat) if account.vat else None,
            "lastUpdated": changed,
            "note": account.note,
            "objectVersion": version(account, changed),
        }


@listing("accountsapi:/TotalIntervals")
def _total_intervals(world: World) -> Iterator[Row]:
    for account in ACCOUNTS:
        for first, last in account.summed:
            yield {
                "accountNumber": account.number,
                "fromAccountNumber": first,
                "toAccountNumber": last,
                "objectVersion": version(account.number, first, last),
            }


@listing("accountsapi:/KeyFigureCodes")
def _key_figure_codes(world: World) -> Iterator[Row]:
    names = ("number", "name", "sumFrom1", "sum1Text", "sumFrom2", "sum2Text", "isBalance")
    for code in _KEY_FIGURES:
        yield dict(zip(names, code, strict=True))


def move_balances(world: World) -> None:
    """Bring every account row that was handed out up to the ledger."""
    totals = world.ledger.year_totals(world.current_year)
    booked = _with_totals(totals)
    for draft in world.drafts:
        for number, amount in draft.effects():
            totals[number] = totals.get(number, 0) + amount
    drafted = _with_totals(totals)
    for row, number in world.balance_rows:
        row["balance"] = kr(booked[number])
        if "draftBalance" in row:
            row["draftBalance"] = kr(drafted[number])
