"""Customers, their groups, contacts and delivery addresses."""

from __future__ import annotations

from typing import ClassVar

from tap_visma_economic.client import OpenApiStream, RestApiStream
from tap_visma_economic.replication import ByTimestamp


class Customers(RestApiStream):
    """Customers; balance and amount due change, and `lastUpdated` does not."""

    name, path = "customers", "/customers"
    primary_keys = ("agreementNumber", "customerNumber")
    keyset = "customerNumber"
    replication = ByTimestamp("lastUpdated", opt_in=True)


class OpenapiCustomers(OpenApiStream):
    """Customers as the newer API returns them: flat, without balances."""

    name, module, path = "openapi_customers", "customersapi", "/Customers"
    primary_keys = ("agreementNumber", "customerNumber")
    keyset = "customerNumber"
    opt_in = True


class CustomerGroups(RestApiStream):
    """Customer groups and the control account each posts to."""

    name, path = "customer_groups", "/customer-groups"
    primary_keys = ("agreementNumber", "customerGroupNumber")
    keyset = "customerGroupNumber"


class CustomerContacts(OpenApiStream):
    """Contact persons of customers, deleted ones included (isDeleted)."""

    name, module, path = "customer_contacts", "customersapi", "/Contacts"
    primary_keys = ("agreementNumber", "number")
    keyset = "number"
    replication = ByTimestamp("lastUpdated")


class RestCustomerContacts(RestApiStream):
    """Contact persons as the older API returns them. One call per customer."""

    name, path = "rest_customer_contacts", "/customers/{customerNumber}/contacts"
    parent = Customers
    path_params: ClassVar = {"customerNumber": "customerNumber"}
    primary_keys = ("agreementNumber", "customerNumber", "customerContactNumber")
    keyset = "customerContactNumber"
    opt_in = True


class CustomerDeliveryLocations(OpenApiStream):
    """Delivery addresses of customers."""

    name, module, path = "customer_delivery_locations", "customersapi", "/DeliveryLocations"
    primary_keys = ("agreementNumber", "number")
    keyset = "number"
    replication = ByTimestamp("lastUpdated")


class RestCustomerDeliveryLocations(RestApiStream):
    """Delivery addresses as the older API returns them. One call per customer."""

    name = "rest_customer_delivery_locations"
    path = "/customers/{customerNumber}/delivery-locations"
    parent = Customers
    path_params: ClassVar = {"customerNumber": "customerNumber"}
    primary_keys = ("agreementNumber", "customerNumber", "deliveryLocationNumber")
    keyset = "deliveryLocationNumber"
    opt_in = True


class CustomerSetup(OpenApiStream):
    """The agreement's defaults for customers. One row."""

    name, module, path = "customer_setup", "customersapi", "/Setup"
    is_single_object = True
    primary_keys = ("agreementNumber",)
