"""Products, their groups, prices, price groups and special prices, in both APIs' shapes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import TypeAlias

from tests.sandbox.books import chart
from tests.sandbox.books.agreement import distribution_ref, unit_body, zone_body
from tests.sandbox.books.money import from_base, kr, rate_of
from tests.sandbox.books.rows import instant, linked, listing, path_of, ref, version
from tests.sandbox.books.world import World
from tests.sandbox.values import Link, Row


@dataclass(frozen=True)
class Group:
    """Sales accounts go by VAT zone: domestic, EU, abroad, domestic without VAT."""

    number: int
    name: str
    domestic: int
    inventory: bool = False
    accrual: int | None = None
    project: int | None = None

    def sales_account(self, zone: int) -> int:
        if self.accrual is not None:
            return self.accrual
        return {1: self.domestic, 2: chart.SALES_EU, 3: chart.SALES_ABROAD}.get(
            zone, chart.SALES_EXEMPT
        )


GROUPS = (
    Group(1, "Varer m/moms", chart.SALES),
    Group(2, "Ydelser & timer", chart.SALES, project=chart.ONGOING),
    Group(3, "Abonnementer", 1020, accrual=chart.DEFERRED),
    Group(4, "Lagervarer", chart.SALES, inventory=True),
)

_AWKWARD = (
    "A/B:C",
    "T-shirt M",
    "under_score",
    "nr#1",
    "Æble 100%",
    "v1.0.0",
    "%2F",
    "ÅRHUS+5",
    "_6_",
    'Tomme 1/2"',
    "0007",
    "7",
    "a?b&c=d",
    "back\\slash*<>",
)
_NAMES = ("T-shirt", "Kaffekop", "Stol", "Time", "Licens", "Rejse", "Skrue 5 mm", "Lampe")
# By the number of a group: names, and prices with VAT in kroner.
Catalogue: TypeAlias = dict[int, tuple[tuple[str, int], ...]]
_VARIANTS = ("sort", "hvid", 'grøn "Ærø" 🚲', "54 cm", "58 cm", "2026", "udgår (÷10 %)")
CURRENCIES = ("EUR", "SEK")
PRICE_GROUPS = ((1, "Forhandlere"), (2, "Ansatte (÷20 %)"))


@dataclass
class Stock:
    in_stock: int
    ordered_by_customers: int
    ordered_from_suppliers: int
    changed: datetime


@dataclass
class Product:
    """Prices are øre of the base currency."""

    number: str
    name: str
    group: Group
    price: int
    cost: int
    recommended: int
    changed: datetime
    description: str | None = None
    bar_code: str | None = None
    barred: bool = False
    unit: int | None = None
    unit2: int | None = None
    department: int | None = None
    stock: Stock | None = None
    prices: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class SpecialPrice:
    number: int
    group: int
    product: Product
    price: int | None
    discount: int | None


def build_products(
    random: Random,
    count: int,
    today: date,
    *,
    sparse: bool,
    modules: frozenset[str],
    catalogue: Catalogue | None = None,
) -> list[Product]:
    """Products in the order of their numbers as text, without regard to case.

    Those of a catalogue come in several variants, with its names and prices.
    """
    products = []
    for i in range(count):
        awkward = i < len(_AWKWARD) and not sparse
        group = GROUPS[0] if sparse else GROUPS[i % 4]
        # Three prices that binary floats cannot hold, then ordinary ones.
        price = (10, 20, 30)[i] if i < 3 else random.randrange(100, 500_000)
        product = Product(
            _AWKWARD[i] if awkward else f"{1000 + i}" if i % 2 else f"vare-{i:05d}",
            f"{_NAMES[i % 8]} nr. {i}",
            group,
            price,
            price * 6 // 10,
            price + 5,
            instant(i, today, minute=True),
        )
        if i == 3:
            product.name = 'Stol "Ærø", høj (rød), $ & 🪑'
        if catalogue:
            _catalogued(product, i // len(GROUPS), catalogue[group.number])
        if not sparse:
            _fill(product, i, modules)
        products.append(product)
    return sorted(products, key=lambda product: product.number.casefold())


def _catalogued(product: Product, i: int, models: tuple[tuple[str, int], ...]) -> None:
    name, with_vat = models[i % len(models)]
    variant = _VARIANTS[i // len(models) % len(_VARIANTS)]
    product.name = f"{name}, {variant}"
    product.price = with_vat * 80
    product.cost = product.price * (58 if product.group.number in {1, 4} else 10) // 100
    product.recommended = product.price


def _fill(product: Product, i: int, modules: frozenset[str]) -> None:
    product.unit = 1 + i % 5
    product.barred = i % 23 == 9
    if i % 3 == 0:
        product.description = f"Beskrivelse {i}:\nlinje to - 100 % bomuld"
        product.bar_code = f"57{i:011d}"
        if "Dimension" in modules:
            product.unit2 = 4
            product.department = 1 + i // 3 % 3
        product.prices = {
            currency: max(1, from_base(product.price, rate_of(currency))) for currency in CURRENCIES
        }
    if "Inventory" in modules and product.group.inventory:
        moved = product.changed + timedelta(minutes=5)
        product.stock = Stock(i * 3 % 500, i % 7, i % 5, moved)


def group_numbered(number: str) -> Group:
    """A product group by its number as text.

    Raises:
        KeyError: there is no such group.
    """
    for group in GROUPS:
        if str(group.number) == number:
            return group
    raise KeyError(number)


def build_special_prices(products: list[Product]) -> list[SpecialPrice]:
    """A price or a discount, never both, for every fifth product in each price group."""
    specials: list[SpecialPrice] = []
    for product in products[::5]:
        for group, _name in PRICE_GROUPS:
            number = len(specials) + 1
            fixed = number % 3 != 0
            price, discount = (product.price * 9 // 10, None) if fixed else (None, 1250)
            specials.append(SpecialPrice(number, group, product, price, discount))
    return specials


def _group_body(world: World, group: Group) -> Row:
    path = path_of("productGroupNumber", group.number)
    return {
        "productGroupNumber": group.number,
        "name": group.name,
        "salesAccounts": Link(f"{path}/sales-accounts"),
        "products": Link(f"{path}/products"),
        "inventoryEnabled": group.inventory,
        "accrual": chart.account_body(world, group.accrual) if group.accrual else None,
        "self": Link(path),
    }


@listing("rest:/products")
def _rest_products(world: World) -> Iterator[Row]:
    groups = {group.number: _group_body(world, group) for group in GROUPS}
    for product in world.products:
        yield _rest_product(product, groups[product.group.number])


def _rest_product(product: Product, group: Row) -> Row:
    path = path_of("productNumber", product.number)
    row: Row = {
        "productNumber": product.number,
        "description": product.description,
        "name": product.name,
        "costPrice": kr(product.cost),
        "recommendedPrice": kr(product.recommended),
        "salesPrice": kr(product.price),
        "barCode": product.bar_code,
        "barred": product.barred,
        "minimumStock": Decimal(0),
        "lastUpdated": product.changed,
        "productGroup": group,
        "unit": unit_body(product.unit) if product.unit else None,
        "departmentalDistribution": distribution_ref(product.department, with_kind=True),
        "invoices": linked(f"{path}/invoices", "drafts", "booked"),
        "pricing": {
            "currencySpecificSalesPrices": Link(f"{path}/pricing/currency-specific-sales-prices")
        },
        "self": Link(path),
    }
    if product.stock:
        stock = product.stock
        row["inventory"] = {
            "available": Decimal(stock.in_stock - stock.ordered_by_customers),
            "inStock": Decimal(stock.in_stock),
            "orderedByCustomers": Decimal(stock.ordered_by_customers),
            "orderedFromSuppliers": Decimal(stock.ordered_from_suppliers),
            "packageVolume": Decimal("0.125"),
            "grossWeight": Decimal("1.50"),
            "netWeight": Decimal("1.25"),
            "inventoryLastUpdated": stock.changed,
            "recommendedCostPrice": kr(product.cost),
        }
    return row


@listing("productsapi:/products")
def _products(world: World) -> Iterator[Row]:
    for product in world.products:
        yield {
            "productNumber": product.number,
            "productGroupId": product.group.number,
            "name": product.name,
            "description": product.description,
            "barCode": product.bar_code,
            "salesPrice": kr(product.price),
            "costPrice": kr(product.cost),
            "recommendedPrice": kr(product.recommended),
            "unitId": product.unit,
            "unit2Id": product.unit2,
            "isAccessible": not product.barred,
            "lastUpdated": product.changed,
            "objectVersion": version(product),
        }


@listing("rest:/product-groups")
def _rest_groups(world: World) -> Iterator[Row]:
    for group in GROUPS:
        yield _group_body(world, group)


@listing("rest:/product-groups/{productGroupNumber}/sales-accounts")
def _sales_accounts(world: World, number: str) -> Iterator[Row]:
    group = group_numbered(number)
    for zone in (1, 2, 3, 4):
        yield {
            "salesAccount": chart.account_body(world, group.sales_account(zone)),
            "vatZone": zone_body(zone),
        }


@listing("productsapi:/productgroups")
def _groups(world: World) -> Iterator[Row]:
    for group in GROUPS:
        yield {
            "id": group.number,
            "name": group.name,
            "domesticAccountId": group.sales_account(1),
            "objectVersion": version(group),
        }


@listing("productsapi:/productgroups/{productGroupNumber}/zones")
def _zones(world: World, number: str) -> Iterator[Row]:
    group = group_numbered(number)
    for zone in (1, 2, 3, 4):
        yield {
            "id": zone,
            "accountId": group.sales_account(zone),
            "objectVersion": version(group, zone),
        }


@listing("productsapi:/productgroups/{productGroupNumber}/accrualsettings")
def _accrual_settings(world: World, number: str) -> Iterator[Row]:
    group = group_numbered(number)
    if group.accrual is None:
        return
    yield {"accrualAccountId": group.accrual, "objectVersion": version(group)}


@listing("productsapi:/productgroups/{productGroupNumber}/projectsettings")
def _project_settings(world: World, number: str) -> Iterator[Row]:
    group = group_numbered(number)
    if group.inventory:
        return
    yield {
        "isInProject": group.project is not None,
        "projectAccountId": group.project,
        "objectVersion": version(group),
    }


@listing("productsapi:/salespriceincurrencies")
def _sales_prices(world: World) -> Iterator[Row]:
    for product in world.products:
        for currency, price in product.prices.items():
            yield {
                "productNumber": product.number,
                "currency": currency,
                "salesPrice": kr(price),
                "objectVersion": version(product.number, currency, price),
            }


@listing("rest:/products/{productNumber}/pricing/currency-specific-sales-prices")
def _rest_sales_prices(world: World, number: str) -> Iterator[Row]:
    product = world.product_numbered(number)
    path = f"{path_of('productNumber', product.number)}/pricing/currency-specific-sales-prices"
    for currency, price in product.prices.items():
        yield {
            "price": kr(price),
            "product": ref("productNumber", product.number),
            "currency": ref("code", currency),
            "self": Link(f"{path}/{currency}"),
        }


@listing("productsapi:/pricegroups")
def _price_groups(world: World) -> Iterator[Row]:
    for number, name in () if world.sparse else PRICE_GROUPS:
        yield {"number": number, "name": name, "objectVersion": version(number, name)}


@listing("productsapi:/pricegroups/{priceGroupNumber}/specialprices")
def _special_prices(world: World, group: str) -> Iterator[Row]:
    for special in world.special_prices:
        if str(special.group) == group:
            yield {
                "number": special.number,
                "productNumber": special.product.number,
                "salesPriceBaseCurrency": None if special.price is None else kr(special.price),
                "discountPercentage": None if special.discount is None else kr(special.discount),
                "objectVersion": version(special),
            }


@listing("productsapi:/specialprices/{productSpecialPriceNumber}/specialpricesincurrency")
def _special_prices_in_currency(world: World, number: str) -> Iterator[Row]:
    special = world.special_price_numbered(number)
    if special.price is None:
        return
    for currency in CURRENCIES[: 1 + special.number % 2]:
        yield {
            "currency": currency,
            "salesPrice": kr(max(1, from_base(special.price, rate_of(currency)))),
            "objectVersion": version(special, currency),
        }
