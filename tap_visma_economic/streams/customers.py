"""Customers, their groups, contacts and delivery addresses."""

from __future__ import annotations

from typing import ClassVar

from tap_visma_economic.client import Listing, OpenApiStream, Replication, RestApiStream


class Customers(RestApiStream):
    """Customers; balance and amount due change, and `lastUpdated` does not."""

    name = "customers"
    path = "/customers"
    primary_keys = ("agreementNumber", "customerNumber")
    keyset = "customerNumber"
    replication_key = "lastUpdated"
    replication = Replication.FULL


class OpenapiCustomers(OpenApiStream):
    """Customers as the newer API tells them: flat, without balances."""

    name = "openapi_customers"
    module = "customersapi"
    path = "/Customers"
    primary_keys = ("agreementNumber", "customerNumber")
    keyset = "customerNumber"
    selected_by_default = False


class CustomerGroups(RestApiStream):
    """Customer groups and the control account each posts to."""

    name = "customer_groups"
    path = "/customer-groups"
    primary_keys = ("agreementNumber", "customerGroupNumber")
    keyset = "customerGroupNumber"


class CustomerContacts(OpenApiStream):
    """Contact persons of customers, deleted ones included (isDeleted)."""

    name = "customer_contacts"
    module = "customersapi"
    path = "/Contacts"
    primary_keys = ("agreementNumber", "number")
    keyset = "number"
    replication_key = "lastUpdated"


class RestCustomerContacts(RestApiStream):
    """Contact persons as the older API tells them. One call per customer."""

    name = "rest_customer_contacts"
    path = "/customers/{customerNumber}/contacts"
    parent = Customers
    path_params: ClassVar = {"customerNumber": "customerNumber"}
    primary_keys = ("agreementNumber", "customerNumber", "customerContactNumber")
    keyset = "customerContactNumber"
    selected_by_default = False


class CustomerDeliveryLocations(OpenApiStream):
    """Delivery addresses of customers."""

    name = "customer_delivery_locations"
    module = "customersapi"
    path = "/DeliveryLocations"
    primary_keys = ("agreementNumber", "number")
    keyset = "number"
    replication_key = "lastUpdated"


class RestCustomerDeliveryLocations(RestApiStream):
    """Delivery addresses as the older API tells them. One call per customer."""

    name = "rest_customer_delivery_locations"
    path = "/customers/{customerNumber}/delivery-locations"
    parent = Customers
    path_params: ClassVar = {"customerNumber": "customerNumber"}
    primary_keys = ("agreementNumber", "customerNumber", "deliveryLocationNumber")
    keyset = "deliveryLocationNumber"
    selected_by_default = False


class CustomerSetup(OpenApiStream):
    """The agreement's defaults for customers. One row."""

    name = "customer_setup"
    module = "customersapi"
    path = "/Setup"
    listing = Listing.SINGLETON
    primary_keys = ("agreementNumber",)
