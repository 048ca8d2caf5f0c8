"""Suppliers, their groups and contacts."""

from __future__ import annotations

from tap_visma_economic.client import OpenApiStream, RestApiStream
from tap_visma_economic.replication import ByTimestamp


class Suppliers(RestApiStream):
    """Suppliers. Only the older API has them."""

    name, path = "suppliers", "/suppliers"
    primary_keys = ("agreementNumber", "supplierNumber")
    keyset = "supplierNumber"


class SupplierGroups(OpenApiStream):
    """Supplier groups and the control account each posts to."""

    name, module, path = "supplier_groups", "suppliersapi", "/Groups"
    primary_keys = ("agreementNumber", "number")


class RestSupplierGroups(RestApiStream):
    """Supplier groups as the older API returns them; e-conomic publishes no schema for these."""

    name, path = "rest_supplier_groups", "/supplier-groups"
    primary_keys = ("agreementNumber", "supplierGroupNumber")
    sort = "supplierGroupNumber"
    opt_in = True


class SupplierContacts(OpenApiStream):
    """Contact persons of suppliers, deleted ones included (isDeleted)."""

    name, module, path = "supplier_contacts", "suppliersapi", "/Contacts"
    primary_keys = ("agreementNumber", "number")
    keyset = "number"
    replication = ByTimestamp("lastUpdated")
