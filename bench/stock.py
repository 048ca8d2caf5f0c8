"""The same streams as the SDK gives them for free: what the cookiecutter's template makes.

`RESTStream` with its own session, paginators, JSONPath, retries, type conformance, sync loop and
message writer; nothing here is slower than it has to be, and nothing is made faster. The schemas
are the tap's own. Neither stream keeps a bookmark, which would only cost time. Run as
`python -m bench.stock --config FILE`.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import parse_qsl

from singer_sdk import Tap
from singer_sdk import typing as th
from singer_sdk.pagination import BaseHATEOASPaginator
from singer_sdk.streams import RESTStream

from bench.shape import shaper
from tap_visma_economic import schemas

if TYPE_CHECKING:
    from collections.abc import Callable
    from urllib.parse import ParseResult

    import requests
    from singer_sdk.helpers.types import Context
    from singer_sdk.streams.rest import HTTPRequest, PageContext


class EconomicStream(RESTStream[Any]):
    """Base of both streams."""

    primary_keys: ClassVar[tuple[str, ...]] = ()

    def __init__(self, tap: Tap) -> None:
        schema = schemas.catalog_schema(schemas.load(self.name), include_links=False)
        super().__init__(tap, schema=schema)

    @property
    def url_base(self) -> str:
        """Where the API is."""
        return str(self.config["url"])

    @property
    def http_headers(self) -> dict[str, str]:
        """Both tokens."""
        return {
            "X-AppSecretToken": self.config["app_secret_token"],
            "X-AgreementGrantToken": self.config["agreement_grant_token"],
        }

    @cached_property
    def _shape(self) -> Callable[[dict[str, Any]], dict[str, Any]]:
        return shaper(self.name, self.config["agreement_number"])

    def post_process(self, row: dict[str, Any], context: Context | None = None) -> dict[str, Any]:  # noqa: ARG002
        """Return the record of a row."""
        return self._shape(row)


class BookedEntries(EconomicStream):
    """The ledger, by cursor."""

    name = "booked_entries"
    path = f"/bookedEntriesapi/v{schemas.MODULE_VERSIONS['bookedEntriesapi']}/booked-entries"
    primary_keys = ("agreementNumber", "entryNumber")
    records_jsonpath = "$.items[*]"
    next_page_token_jsonpath = "$.cursor"  # noqa: S105

    def get_http_request(self, *, page: PageContext[str]) -> HTTPRequest:
        """Return the request for one page."""
        request = super().get_http_request(page=page)
        if page.next_page_token:
            request.params = {"cursor": page.next_page_token}
        return request


class NextPage(BaseHATEOASPaginator):
    """Follows the link that a page of the older API gives."""

    def get_next_url(self, response: requests.Response) -> str | None:
        """Return the link to the next page."""
        link: str | None = response.json()["pagination"].get("nextPage")
        return link


class Customers(EconomicStream):
    """Customers, by the links between pages."""

    name = "customers"
    path = "/customers"
    primary_keys = ("agreementNumber", "customerNumber")
    records_jsonpath = "$.collection[*]"

    def get_new_paginator(self) -> NextPage:
        """Return what follows the links."""
        return NextPage()

    def get_http_request(self, *, page: PageContext[ParseResult]) -> HTTPRequest:
        """Return the request for one page."""
        request = super().get_http_request(page=page)
        request.params = {"pagesize": 1000}
        if page.next_page_token:
            request.params = dict(parse_qsl(page.next_page_token.query))
        return request


class StockTap(Tap):
    """Both streams."""

    name = "tap-stock"
    config_jsonschema = th.PropertiesList(
        th.Property("url", th.StringType, required=True),
        th.Property("app_secret_token", th.StringType, required=True, secret=True),
        th.Property("agreement_grant_token", th.StringType, required=True, secret=True),
        th.Property("agreement_number", th.IntegerType, required=True),
    ).to_dict()

    def discover_streams(self) -> list[EconomicStream]:
        """Return the streams."""
        return [BookedEntries(self), Customers(self)]


if __name__ == "__main__":
    StockTap.cli()
