"""The rows of products, their groups and their prices, in both APIs' shapes."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from tests.sandbox.books import chart
from tests.sandbox.books.agreement import distribution_ref, unit_body, zone_body
from tests.sandbox.books.money import from_base, kr, rate_of
from tests.sandbox.books.products import (
    CURRENCIES,
    GROUPS,
    PRICE_GROUPS,
    Group,
    Product,
    group_numbered,
)
from tests.sandbox.books.rows import linked, listing, path_of, ref, version
from tests.sandbox.books.world import World
from tests.sandbox.values import Link, Row


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
