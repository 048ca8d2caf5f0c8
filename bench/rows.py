"""The rows that the bench server serves: those of the sandbox, over and over under new numbers.

The sandbox (`tests/sandbox`) is written from e-conomic's documents, so rows have the columns,
absent values and links that e-conomic's have. Nothing is random.
"""

from __future__ import annotations

import re
from functools import cache
from urllib.request import Request, urlopen

import msgspec

from bench.listings import AGREEMENT, LISTINGS, PAGE
from tests.sandbox import Grant, Sandbox
from tests.sandbox.company import build_company

DRIFT = 700
"""One row in so many has a property that e-conomic does not document, where a scenario asks."""


class _Page(msgspec.Struct):
    items: list[msgspec.Raw] = []
    collection: list[msgspec.Raw] = []


@cache
def _samples() -> dict[str, list[tuple[bytes, bytes]]]:
    """Return the sandbox's rows by stream, each as what is before and behind its key's number."""
    found = {}
    with Sandbox(
        {"demo": Grant(build_company(AGREEMENT, "Bench ApS", seed=1, entries=2_000))}
    ) as sandbox:
        tokens = {"X-AppSecretToken": "demo", "X-AgreementGrantToken": "demo"}
        for stream, listing in LISTINGS.items():
            url = f"{sandbox.url}{listing.path}?pagesize={PAGE}"
            with urlopen(Request(url, headers=tokens)) as answer:  # noqa: S310  the sandbox
                text = answer.read().replace(sandbox.url.encode(), b"https://restapi.e-conomic.com")
            page = msgspec.json.decode(text, type=_Page)
            cut = re.compile(rb'(^.*?"%b":)\d+(.*)$' % listing.key.encode(), re.DOTALL)
            rows = [cut.fullmatch(bytes(row)) for row in page.items or page.collection]
            found[stream] = [(row[1], row[2]) for row in rows if row]
    return found


def rows(stream: str, count: int, drift: bool) -> tuple[list[int], list[bytes]]:
    """Return the numbers of so many rows of a listing, and their JSON text."""
    listing, samples = LISTINGS[stream], _samples()[stream]
    numbers, texts = [listing.number(place) for place in range(count)], []
    for place, number in enumerate(numbers):
        before, behind = samples[place % len(samples)]
        texts.append(b"%b%d%b" % (before, number, behind))
        if drift and place % DRIFT == DRIFT // 2:
            more = listing.drift + b'"undocumentedNote":"see file",'
            texts[-1] = texts[-1].replace(listing.drift, more, 1)
    return numbers, texts
