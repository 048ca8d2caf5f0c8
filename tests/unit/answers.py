"""Answers of e-conomic made by hand."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import msgspec
import requests

from tap_visma_economic.records import pages
from tap_visma_economic.records.drift import Drift
from tap_visma_economic.records.pages import Page
from tap_visma_economic.records.row_type import RowType
from tap_visma_economic.records.selection import Selection

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tap_visma_economic.records.selection import Row

URL = "https://restapi.e-conomic.com/customers?pagesize=1000"


def undocumented() -> RowType:
    """Return the type of rows of which no document names a property."""
    return RowType({"properties": {}, "required": []}, Selection(), Drift())


def answer(
    body: Any = b"", status: int = 200, headers: Mapping[str, str] | None = None, url: str = URL
) -> requests.Response:
    """Return a response; a body that is not bytes yet is sent as JSON."""
    made = requests.Response()
    made.status_code = status
    made._content = body if isinstance(body, bytes) else json.dumps(body).encode()
    made.headers.update({"Content-Type": "application/json", **(headers or {})})
    made.request = requests.Request("GET", url).prepare()
    return made


def page_of(rows: Sequence[Row] = (), **more: Any) -> Page:
    """Return a page of these rows, read as a response is; `more` are arguments of `Page`."""
    return Page(pages.array(answer(encoded(rows)), undocumented()).rows, **more)


encoded = msgspec.json.Encoder(decimal_format="number").encode
"""JSON in which a Decimal is a number."""
