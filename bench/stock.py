"""`booked_entries` as the SDK gives it for free: what its cookiecutter template makes.

`RESTStream` with its own session, paginator, JSONPath, retries, type conformance, sync loop and
message writer; nothing here is slower than it has to be, and nothing is made faster. The schema is
the tap's own. No bookmark is kept, which would only cost time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from singer_sdk import Tap
from singer_sdk.streams import RESTStream

from bench.listings import LISTINGS
from bench.shape import shaper

if TYPE_CHECKING:
    from singer_sdk.helpers.types import Context
    from singer_sdk.streams.rest import HTTPRequest, PageContext


class BookedEntries(RESTStream[Any]):
    """The ledger, by cursor."""

    name = "booked_entries"
    path = LISTINGS[name].path
    primary_keys = ("agreementNumber", "entryNumber")
    records_jsonpath = "$.items[*]"
    next_page_token_jsonpath = "$.cursor"  # noqa: S105
    url_base = ""

    def __init__(self, tap: Tap) -> None:
        super().__init__(tap, schema=tap.config["schema"])
        self.url_base = tap.config["url"]
        self._shape = shaper(self.name)

    @property
    def http_headers(self) -> dict[str, str]:
        """Both tokens."""
        return {"X-AppSecretToken": "demo", "X-AgreementGrantToken": "demo"}

    def get_http_request(self, *, page: PageContext[str]) -> HTTPRequest:
        """Return the request for one page."""
        request = super().get_http_request(page=page)
        if page.next_page_token:
            request.params = {"cursor": page.next_page_token}
        return request

    def post_process(self, row: dict[str, Any], context: Context | None = None) -> dict[str, Any]:  # noqa: ARG002
        """Return the record of a row."""
        return self._shape(row)


class StockTap(Tap):
    """One stream."""

    name = "tap-stock"
    config_jsonschema: ClassVar = {
        "properties": {"url": {"type": "string"}, "schema": {"type": "object"}}
    }

    def discover_streams(self) -> list[BookedEntries]:
        """Return the stream."""
        return [BookedEntries(self)]


if __name__ == "__main__":
    StockTap.cli()
