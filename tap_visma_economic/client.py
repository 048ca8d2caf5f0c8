"""The two APIs: how each lists, paginates, counts and filters.

Each stream class under `streams/` declares an endpoint of one of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, ClassVar

import pendulum
import requests
from singer_sdk.helpers.types import Context

from tap_visma_economic import schemas
from tap_visma_economic.errors import BadResponseError, NotFoundError, RetiredVersionError
from tap_visma_economic.http import HttpClient
from tap_visma_economic.pagination import (
    Cursor,
    Keyset,
    Offset,
    OnePage,
    Paged,
    PagedUpward,
    Paginator,
    filtered,
)
from tap_visma_economic.paths import PathContext
from tap_visma_economic.records import pages
from tap_visma_economic.records.pages import Page
from tap_visma_economic.stream import EconomicStream


class RestApiStream(EconomicStream):
    """A listing of restapi.e-conomic.com, which e-conomic calls its legacy REST API.

    Class attribute: `sort`, a key to sort by, for listings without a `keyset`.
    """

    sort: ClassVar[str | None] = None

    @property
    def url_base(self) -> str:
        return str(self.run.setting("rest_url")).rstrip("/")

    def parse_response(self, response: requests.Response) -> Page:
        if self.is_single_object:
            return pages.single(response, self.documented, self.row_type)
        return pages.rest_collection(response, self.row_type)

    def get_new_paginator(self, filter_: str | None = None) -> Paginator:  # type: ignore[override]
        if self.is_single_object:
            return OnePage(filter_)
        if self.keyset:
            return Keyset(filter_, key=self.keyset)
        return Offset(filter_, sort=self.sort)

    def count_one(self, http: HttpClient, context: PathContext, filter_: str | None) -> int:
        """Return how many rows of one listing match, as a page of one row reports it."""
        page = self.ask(http, context, {"pagesize": 1, **filtered(filter_)}, self.parse_response)
        if page.results is None and page.rows:  # see docs/economic-api.md#rest-collections
            raise BadResponseError(f"{self.path} does not report its number of rows")
        return page.results or 0

    def instant_literal(self, at: pendulum.DateTime) -> str:
        """Return `2026-01-02T03:04:05Z`; an offset is rejected (docs/economic-api.md#filtering)."""
        return at.in_timezone("UTC").format("YYYY-MM-DD[T]HH:mm:ss[Z]")


class OpenApiStream(EconomicStream):
    """A listing of apis.e-conomic.com, the newer API of versioned modules.

    Class attribute: `module`, such as `customersapi`.
    """

    module: ClassVar[str]

    @property
    def url_base(self) -> str:
        """The module's address, version included."""
        host = str(self.run.setting("openapi_url")).rstrip("/")
        return f"{host}/{self.module}/v{self._version}"

    def get_url(self, context: Context | None) -> str:
        url = super().get_url(context)
        return f"{url}/paged" if self.paginator_class is Paged else url

    def validate_response(self, response: requests.Response) -> None:
        """Raise the error for a response that is not a page.

        A listing below an unknown parent is empty, not 404: a 404 means that this version of the
        module has been retired (docs/economic-api.md#openapi-listings). An optional object, such as
        a group's settings, may be missing. Its response is not documented: 404, 204 and `null` all
        count.
        """
        if self.optional and _is_nothing(response):
            raise NotFoundError(HTTPStatus.NOT_FOUND, response.request.path_url)
        try:
            super().validate_response(response)
        except NotFoundError as error:
            if self.optional:
                raise
            raise RetiredVersionError(
                error.status, error.path, said=error.gist, code=error.code
            ) from None

    def parse_response(self, response: requests.Response) -> Page:
        if self.is_single_object:
            return pages.single(response, self.documented, self.row_type)
        envelope = pages.array if self.paginator_class else pages.cursor_listing
        return envelope(response, self.row_type)

    def get_new_paginator(self, filter_: str | None = None) -> Paginator:  # type: ignore[override]
        if self.is_single_object:
            return OnePage(filter_)
        if self.paginator_class is PagedUpward:
            key = self.replication.key
            others = [name for name in self.identity_columns if name != key]
            return PagedUpward(filter_, key=key, then=others)
        if self.paginator_class:
            return self.paginator_class(filter_)
        return Cursor(filter_, keys=self.identity_columns, twins=self.key_is_inferred)

    def count_one(self, http: HttpClient, context: PathContext, filter_: str | None) -> int:
        """Return how many rows of one listing match: see docs/economic-api.md#openapi-listings."""
        return self.ask(http, context, filtered(filter_), pages.count, suffix="/count")

    def instant_literal(self, at: pendulum.DateTime) -> str:
        """Return `2026-01-02T03:04:05`: see docs/economic-api.md#dates-and-time-zones."""
        return at.in_timezone("UTC").format("YYYY-MM-DD[T]HH:mm:ss")

    def described(self) -> dict[str, Any]:
        """Return the schema file of the stream, plus what a newer version of its module adds."""
        return schemas.described(self.name, self.module, self._version)

    @property
    def _version(self) -> str:
        versions: Mapping[str, str] = self.run.config.get("openapi_versions") or {}
        return versions.get(self.module, schemas.MODULE_VERSIONS[self.module])

    @property
    def _documented(self) -> bool:
        return schemas.is_described(self.module, self._version)


def _is_nothing(response: requests.Response) -> bool:
    """Return whether a response means that there is no object: 204, or `null`."""
    empty = response.status_code == HTTPStatus.OK and response.content.strip() == b"null"
    return empty or response.status_code == HTTPStatus.NO_CONTENT
