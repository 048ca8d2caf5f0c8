"""Products, product groups and prices."""

from __future__ import annotations

from typing import ClassVar

from tap_visma_economic.client import OpenApiStream, RestApiStream
from tap_visma_economic.replication import ByTimestamp


class Products(RestApiStream):
    """Products with prices and stock; stock moves under its own `inventoryLastUpdated`."""

    name, path = "products", "/products"
    primary_keys = ("agreementNumber", "productNumber")
    sort = "productNumber"
    replication = ByTimestamp("lastUpdated", opt_in=True)


class OpenapiProducts(OpenApiStream):
    """Products as the newer API returns them."""

    name, module, path = "openapi_products", "productsapi", "/products"
    counted = False
    primary_keys = ("agreementNumber", "productNumber")
    replication = ByTimestamp("lastUpdated")
    opt_in = True


class ProductGroups(RestApiStream):
    """Product groups."""

    name, path = "product_groups", "/product-groups"
    primary_keys = ("agreementNumber", "productGroupNumber")
    sort = "productGroupNumber"


class ProductGroupSalesAccounts(RestApiStream):
    """Sales account per product group and VAT zone. One call per group."""

    name = "product_group_sales_accounts"
    path = "/product-groups/{productGroupNumber}/sales-accounts"
    parent = ProductGroups
    path_params: ClassVar = {"productGroupNumber": "productGroupNumber"}
    primary_keys = ("agreementNumber", "productGroupNumber", "vatZoneNumber")


class OpenapiProductGroups(OpenApiStream):
    """Product groups as the newer API returns them."""

    name, module, path = "openapi_product_groups", "productsapi", "/productgroups"
    primary_keys = ("agreementNumber", "id")
    opt_in = True


class ProductGroupZones(OpenApiStream):
    """Accounts per product group and VAT zone. One call per group."""

    name = "product_group_zones"
    module = "productsapi"
    path = "/productgroups/{productGroupNumber}/zones"
    parent = OpenapiProductGroups
    path_params: ClassVar = {"productGroupNumber": "id"}
    primary_keys = ("agreementNumber", "productGroupNumber", "id")


class ProductGroupAccrualSettings(OpenApiStream):
    """Accrual accounts of a product group; 404 if a group has none."""

    name = "product_group_accrual_settings"
    module = "productsapi"
    path = "/productgroups/{productGroupNumber}/accrualsettings"
    is_single_object = True
    optional = True
    parent = OpenapiProductGroups
    path_params: ClassVar = {"productGroupNumber": "id"}
    primary_keys = ("agreementNumber", "productGroupNumber")


class ProductGroupProjectSettings(OpenApiStream):
    """Project accounts of a product group; 404 if a group has none."""

    name = "product_group_project_settings"
    module = "productsapi"
    path = "/productgroups/{productGroupNumber}/projectsettings"
    is_single_object = True
    optional = True
    parent = OpenapiProductGroups
    path_params: ClassVar = {"productGroupNumber": "id"}
    primary_keys = ("agreementNumber", "productGroupNumber")


class ProductSalesPrices(OpenApiStream):
    """Sales prices of products in foreign currencies."""

    name, module, path = "product_sales_prices", "productsapi", "/salespriceincurrencies"
    primary_keys = ("agreementNumber", "productNumber", "currency")


class RestProductSalesPrices(RestApiStream):
    """Sales prices in foreign currencies as the older API returns them. One call per product."""

    name = "rest_product_sales_prices"
    path = "/products/{productNumber}/pricing/currency-specific-sales-prices"
    parent = Products
    path_params: ClassVar = {"productNumber": "productNumber"}
    primary_keys = ("agreementNumber", "productNumber", "currencyCode")
    sort = "currency.code"
    opt_in = True


class PriceGroups(OpenApiStream):
    """Price groups: customers who pay special prices."""

    name, module, path = "price_groups", "productsapi", "/pricegroups"
    primary_keys = ("agreementNumber", "number")


class SpecialPrices(OpenApiStream):
    """Special prices of products per price group. One call per group."""

    name = "special_prices"
    module = "productsapi"
    path = "/pricegroups/{priceGroupNumber}/specialprices"
    parent = PriceGroups
    path_params: ClassVar = {"priceGroupNumber": "number"}
    primary_keys = ("agreementNumber", "number")


class SpecialPricesInCurrency(OpenApiStream):
    """Special prices in foreign currencies. One call per special price."""

    name = "special_prices_in_currency"
    module = "productsapi"
    path = "/specialprices/{productSpecialPriceNumber}/specialpricesincurrency"
    parent = SpecialPrices
    path_params: ClassVar = {"productSpecialPriceNumber": "number"}
    primary_keys = ("agreementNumber", "productSpecialPriceNumber", "currency")
    opt_in = True
