"""The agreement itself and its master data."""

from __future__ import annotations

from tap_visma_economic.client import Listing, OpenApiStream, RestApiStream


class Agreements(RestApiStream):
    """The company behind the grant: number, name, address, modules, application. One row."""

    name = "agreements"
    path = "/self"
    listing = Listing.SELF
    primary_keys = ("agreementNumber",)


class AppRoles(RestApiStream):
    """Roles an app can ask for: what a grant may read depends on its app's role."""

    name = "app_roles"
    path = "/app-roles"
    primary_keys = ("agreementNumber", "roleNumber")
    keyset = "roleNumber"


class Currencies(RestApiStream):
    """Currencies in use, ISO 4217."""

    name = "currencies"
    path = "/currencies"
    primary_keys = ("agreementNumber", "code")
    sort = "code"


class Departments(RestApiStream):
    """Departments, the simple cost centres of an agreement."""

    name = "departments"
    path = "/departments"
    primary_keys = ("agreementNumber", "departmentNumber")
    keyset = "departmentNumber"


class DepartmentalDistributions(RestApiStream):
    """How an amount is shared between departments, in per cent."""

    name = "departmental_distributions"
    path = "/departmental-distributions"
    primary_keys = ("agreementNumber", "departmentalDistributionNumber")
    keyset = "departmentalDistributionNumber"


class Employees(RestApiStream):
    """Employees, who serve as references and sales persons on documents."""

    name = "employees"
    path = "/employees"
    primary_keys = ("agreementNumber", "employeeNumber")
    keyset = "employeeNumber"


class Layouts(RestApiStream):
    """Print layouts of invoices, orders and quotes."""

    name = "layouts"
    path = "/layouts"
    primary_keys = ("agreementNumber", "layoutNumber")


class PaymentTerms(RestApiStream):
    """Payment terms: when an invoice falls due, and how it is paid."""

    name = "payment_terms"
    path = "/payment-terms"
    primary_keys = ("agreementNumber", "paymentTermsNumber")


class PaymentTypes(RestApiStream):
    """Ways of paying suppliers, such as bank transfer and payment slips."""

    name = "payment_types"
    path = "/payment-types"
    primary_keys = ("agreementNumber", "paymentTypeNumber")


class Units(RestApiStream):
    """Units of measure of products and lines."""

    name = "units"
    path = "/units"
    primary_keys = ("agreementNumber", "unitNumber")
    sort = "unitNumber"


class VatAccounts(RestApiStream):
    """VAT codes with their rates and accounts."""

    name = "vat_accounts"
    path = "/vat-accounts"
    primary_keys = ("agreementNumber", "vatCode")


class VatTypes(RestApiStream):
    """Kinds of VAT a VAT code can belong to."""

    name = "vat_types"
    path = "/vat-types"
    primary_keys = ("agreementNumber", "vatTypeNumber")


class VatZones(RestApiStream):
    """VAT zones: domestic, EU, abroad, and so on."""

    name = "vat_zones"
    path = "/vat-zones"
    primary_keys = ("agreementNumber", "vatZoneNumber")
    sort = "vatZoneNumber"


class Webhooks(OpenApiStream):
    """Webhooks made through the API by the same app; webhooks made by hand are not listed."""

    name = "webhooks"
    module = "webhooksapi"
    path = "/webhooks"
    primary_keys = ("agreementNumber", "eventType")


class WebhookEventTypes(OpenApiStream):
    """Events a webhook can be set up for, with the fields they carry. A plain array."""

    name = "webhook_event_types"
    module = "webhooksapi"
    path = "/EventTypes"
    listing = Listing.ARRAY
    primary_keys = ("agreementNumber", "name")
