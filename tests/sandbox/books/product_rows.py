"""The rows of products, their groups and their prices, in both APIs' shapes."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from tests.sandbox.books import chart
from tests.sandbox.books.agreement import distribution_ref, unit_body, zone_body
from tests.sandbox.books.money import from_base, kr, rate_of
from tests.sandbox.books.products import (
    CURRENCIES,
    GROUPS,
    PRICE_GROUPS,
    group_numbered,
)
from tests.sandbox.books.rows import path_of, ref, version
from tests.sandbox.values import Link

if TYPE_CHECKING:
    from tests.sandbox.books.products import (
        Group,
        Product,
    )
    from tests.sandbox.books.world import Listing, World
    from tests.sandbox.values import Row


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


def _rest_products(world: World, _: tuple[str, ...]) -> list[Row]:
    groups = {group.number: _group_body(world, group) for group in GROUPS}
    return [_rest_product(product, groups[product.group.number]) for product in world.products]


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
        "invoices": {
            "drafts": Link(f"{path}/invoices/drafts"),
            "booked": Link(f"{path}/invoices/booked"),
            "self": Link(f"{path}/invoices"),
        },
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


def _products(world: World, _: tuple[str, ...]) -> list[Row]:
    return [
        {
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
        for product in world.products
    ]


def _rest_groups(world: World, _: tuple[str, ...]) -> list[Row]:
    return [_group_body(world, group) for group in GROUPS]


def _sales_accounts(world: World, params: tuple[str, ...]) -> list[Row]:
    group = group_numbered(params[0])
    return [
        {
            "salesAccount": chart.account_body(world, group.sales_account(zone)),
            "vatZone": zone_body(zone),
        }
        for zone in (1, 2, 3, 4)
    ]


def _groups(world: World, _: tuple[str, ...]) -> list[Row]:
    return [
        {
            "id": group.number,
            "name": group.name,
            "domesticAccountId": group.sales_account(1),
            "objectVersion": version(group),
        }
        for group in GROUPS
    ]


def _zones(world: World, params: tuple[str, ...]) -> list[Row]:
    group = group_numbered(params[0])
    return [
        {"id": zone, "accountId": group.sales_account(zone), "objectVersion": version(group, zone)}
        for zone in (1, 2, 3, 4)
    ]


def _accrual_settings(world: World, params: tuple[str, ...]) -> list[Row]:
    group = group_numbered(params[0])
    if group.accrual is None:
        return []
    return [{"accrualAccountId": group.accrual, "objectVersion": version(group)}]


def _project_settings(world: World, params: tuple[str, ...]) -> list[Row]:
    group = group_numbered(params[0])
    if group.inventory:
        return []
    return [
        {
            "isInProject": group.project is not None,
            "projectAccountId": group.project,
            "objectVersion": version(group),
        }
    ]


def _sales_prices(world: World, _: tuple[str, ...]) -> list[Row]:
    return [
        {
            "productNumber": product.number,
            "currency": currency,
            "salesPrice": kr(price),
            "objectVersion": version(product.number, currency, price),
        }
        for product in world.products
        for currency, price in product.prices.items()
    ]


def _rest_sales_prices(world: World, params: tuple[str, ...]) -> list[Row]:
    product = world.product_numbered(params[0])
    path = f"{path_of('productNumber', product.number)}/pricing/currency-specific-sales-prices"
    return [
        {
            "price": kr(price),
            "product": ref("productNumber", product.number),
            "currency": ref("code", currency),
            "self": Link(f"{path}/{currency}"),
        }
        for currency, price in product.prices.items()
    ]


def _price_groups(world: World, _: tuple[str, ...]) -> list[Row]:
    return [
        {"number": number, "name": name, "objectVersion": version(number, name)}
        for number, name in (() if world.sparse else PRICE_GROUPS)
    ]


def _special_prices(world: World, params: tuple[str, ...]) -> list[Row]:
    return [
        {
            "number": special.number,
            "productNumber": special.product.number,
            "salesPriceBaseCurrency": None if special.price is None else kr(special.price),
            "discountPercentage": None if special.discount is None else kr(special.discount),
            "objectVersion": version(special),
        }
        for special in world.special_prices
        if str(special.group) == params[0]
    ]


def _special_prices_in_currency(world: World, params: tuple[str, ...]) -> list[Row]:
    special = world.special_price_numbered(params[0])
    if special.price is None:
        return []
    return [
        {
            "currency": currency,
            "salesPrice": kr(max(1, from_base(special.price, rate_of(currency)))),
            "objectVersion": version(special, currency),
        }
        for currency in CURRENCIES[: 1 + special.number % 2]
    ]


LISTINGS: dict[str, Listing] = {
    "rest:/products": _rest_products,
    "rest:/product-groups": _rest_groups,
    "rest:/product-groups/{productGroupNumber}/sales-accounts": _sales_accounts,
    "rest:/products/{productNumber}/pricing/currency-specific-sales-prices": _rest_sales_prices,
    "productsapi:/products": _products,
    "productsapi:/productgroups": _groups,
    "productsapi:/productgroups/{productGroupNumber}/zones": _zones,
    "productsapi:/productgroups/{productGroupNumber}/accrualsettings": _accrual_settings,
    "productsapi:/productgroups/{productGroupNumber}/projectsettings": _project_settings,
    "productsapi:/salespriceincurrencies": _sales_prices,
    "productsapi:/pricegroups": _price_groups,
    "productsapi:/pricegroups/{priceGroupNumber}/specialprices": _special_prices,
    "productsapi:/specialprices/{productSpecialPriceNumber}/specialpricesincurrency": (
        _special_prices_in_currency
    ),
}
