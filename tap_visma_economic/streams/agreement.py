"""The agreement itself and its master data."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import requests

from tap_visma_economic.agreement import Agreement
from tap_visma_economic.client import OpenApiStream, RestApiStream
from tap_visma_economic.errors import BadResponseError, shown
from tap_visma_economic.pagination import OnePage
from tap_visma_economic.paths import PathContext
from tap_visma_economic.records.pages import Page
from tap_visma_economic.records.selection import Row
from tap_visma_economic.redact import WEBHOOK_HEADER, with_content

_MASK = "***"
_FIELD = re.compile(r"([\w.-]+=)([^=].*)", re.ASCII | re.DOTALL)
"""A name and a value, in an address after its `?` and in the data of a form."""
_MERGE_FIELD = re.compile(r"\[\w+\]")
"""What e-conomic puts a value in place of, such as `[NEWNUMBER]`: no secret."""


class Agreements(RestApiStream):
    """The company behind the grant: number, name, address, modules, application. One row."""

    name, path = "agreements", "/self"
    is_single_object = True
    is_self = True
    primary_keys = ("agreementNumber",)


class AppRoles(RestApiStream):
    """Roles an app can ask for: what a grant may read depends on its app's role."""

    name, path = "app_roles", "/app-roles"
    primary_keys = ("agreementNumber", "roleNumber")
    keyset = "roleNumber"


class Currencies(RestApiStream):
    """Currencies in use, ISO 4217."""

    name, path = "currencies", "/currencies"
    primary_keys = ("agreementNumber", "code")
    sort = "code"


class Departments(RestApiStream):
    """Departments, the simple cost centres of an agreement."""

    name, path = "departments", "/departments"
    primary_keys = ("agreementNumber", "departmentNumber")
    keyset = "departmentNumber"


class DepartmentalDistributions(RestApiStream):
    """How an amount is shared between departments, in per cent."""

    name, path = "departmental_distributions", "/departmental-distributions"
    primary_keys = ("agreementNumber", "departmentalDistributionNumber")
    keyset = "departmentalDistributionNumber"


class Employees(RestApiStream):
    """Employees, who serve as references and sales persons on documents."""

    name, path = "employees", "/employees"
    primary_keys = ("agreementNumber", "employeeNumber")
    keyset = "employeeNumber"


class Layouts(RestApiStream):
    """Print layouts of invoices, orders and quotes."""

    name, path = "layouts", "/layouts"
    primary_keys = ("agreementNumber", "layoutNumber")


class PaymentTerms(RestApiStream):
    """Payment terms: when an invoice falls due, and how it is paid."""

    name, path = "payment_terms", "/payment-terms"
    primary_keys = ("agreementNumber", "paymentTermsNumber")


class PaymentTypes(RestApiStream):
    """Ways of paying suppliers, such as bank transfer and payment slips."""

    name, path = "payment_types", "/payment-types"
    primary_keys = ("agreementNumber", "paymentTypeNumber")


class Units(RestApiStream):
    """Units of measure of products and lines."""

    name, path = "units", "/units"
    primary_keys = ("agreementNumber", "unitNumber")
    sort = "unitNumber"


class VatAccounts(RestApiStream):
    """VAT codes with their rates and accounts."""

    name, path = "vat_accounts", "/vat-accounts"
    primary_keys = ("agreementNumber", "vatCode")


class VatTypes(RestApiStream):
    """Kinds of VAT a VAT code can belong to."""

    name, path = "vat_types", "/vat-types"
    primary_keys = ("agreementNumber", "vatTypeNumber")


class VatZones(RestApiStream):
    """VAT zones: domestic, EU, abroad, and so on."""

    name, path = "vat_zones", "/vat-zones"
    primary_keys = ("agreementNumber", "vatZoneNumber")
    sort = "vatZoneNumber"


class Webhooks(OpenApiStream):
    """Webhooks made through the API by the same app; webhooks made by hand are not listed.

    What a webhook sends is often all that its receiver knows the sender by: values of headers, of
    the address and of the data are masked, names and merge fields are kept.
    """

    name, module, path = "webhooks", "webhooksapi", "/webhooks"
    primary_keys = ("agreementNumber", "eventType")

    def parse_response(self, response: requests.Response) -> Page:
        """Return a response as a page, with its secrets masked before anything else sees them."""
        try:
            answer = json.loads(response.content, object_hook=_masked_webhook)
        except (ValueError, RecursionError):
            raise BadResponseError(
                f"the response to GET {response.request.path_url} is not JSON, so its secrets "
                "cannot be masked"
            ) from None
        return super().parse_response(with_content(response, json.dumps(answer).encode()))

    def read(self, agreement: Agreement, filter_: str | None) -> Iterator[tuple[PathContext, Page]]:
        """Yield the pages; if an inbox waits for events, warn of disabled webhooks for it."""
        for context, page in super().read(agreement, filter_):
            for row in page if self.run.setting("events_inbox") else ():
                if row.get("isDisabled") and _is_for_inbox(row):
                    self.logger.warning(
                        "%s: the webhook %s is disabled in e-conomic, so its events are lost. "
                        "Check the receiver, then run tap-visma-economic-webhooks register",
                        agreement,
                        shown(str(row.get("eventType"))),
                    )
            yield context, page


def _is_for_inbox(row: Row) -> bool:
    """Return whether `tap-visma-economic-webhooks` has made a webhook: it sends its header."""
    headers = row.get("customHeaders")
    listed = headers if isinstance(headers, list) else []
    keys = [one.get("key") for one in listed if isinstance(one, dict)]
    return WEBHOOK_HEADER.lower() in [str(key).lower() for key in keys]


def _masked_webhook(thing: dict[str, Any]) -> dict[str, Any]:
    """Return an object of a response; if it is a webhook, with its secrets masked."""
    masks = {"customHeaders": _masked_headers, "url": _masked_url, "postData": _masked_data}
    return {
        name: masks[name](value) if name in masks and value else value
        for name, value in thing.items()
    }


def _masked_headers(headers: Any) -> Any:
    if isinstance(headers, list):
        return [_masked_headers(header) for header in headers]
    if isinstance(headers, dict):
        return {
            name: value if name == "key" or value is None else _MASK
            for name, value in headers.items()
        }
    return _MASK


def _masked_url(url: Any) -> str:
    address, sign, query = str(url).partition("#")[0].partition("?")
    address = re.sub(r"//[^/]*@", f"//{_MASK}@", address)
    return address + sign + (_masked_data(query) if query else "")


def _masked_data(data: Any) -> str:
    """Return `name=value&...` with its values masked; nothing else is kept."""
    parts = [_FIELD.fullmatch(part) for part in str(data).split("&")]
    return "&".join(
        part[1] + (part[2] if _MERGE_FIELD.fullmatch(part[2]) else _MASK) if part else _MASK
        for part in parts
    )


class WebhookEventTypes(OpenApiStream):
    """Events a webhook can be set up for, with the fields they carry. A plain array."""

    name, module, path = "webhook_event_types", "webhooksapi", "/EventTypes"
    paginator_class = OnePage
    primary_keys = ("agreementNumber", "name")
