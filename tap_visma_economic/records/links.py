"""Links to the next page: never followed, but held to what they must be.

The tap asks for pages by its own queries, so that no link can send its tokens elsewhere. A link
that leads away or back says that the answer is not to be trusted.
"""

from __future__ import annotations

from urllib.parse import parse_qsl, urlsplit

from tap_visma_economic.auth import LOOPBACK
from tap_visma_economic.errors import shown

E_CONOMIC = "restapi.e-conomic.com"
"""The host of all links, also where the setting rest_url names a proxy."""


def fault_of_next_page(link: str, asked: str) -> str | None:
    """Return what is wrong with the link to the page after the one that was asked for.

    Args:
        link: `pagination.nextPage` (docs/economic-api.md#rest-collections).
        asked: the URL of this page.

    Returns:
        None if it leads on.
    """
    try:
        host, skipped = _host_and_skipped(link)
        own_host, own_skipped = _host_and_skipped(asked)
    except ValueError:
        return "the link to its next page is none"
    if host not in {own_host, E_CONOMIC, *LOOPBACK}:
        return f"its next page is on another host, '{shown(host)}'"
    if skipped is not None and skipped <= (own_skipped or 0):
        return "its next page is one that was read already"
    return None


def skipped_pages(asked: str) -> int:
    """Return how many pages a request leaves out."""
    return _host_and_skipped(asked)[1] or 0


def _host_and_skipped(url: str) -> tuple[str, int | None]:
    parts = urlsplit(url)
    query = {name.lower(): text for name, text in parse_qsl(parts.query)}
    text = query.get("skippages")
    return (parts.hostname or "").lower(), None if text is None else int(text)
