"""The page that the browser ends on: self-contained, without a token, in Danish or English."""

from __future__ import annotations

import re
from html import escape
from typing import NamedTuple

HEADERS = {
    "Content-Type": "text/html; charset=utf-8",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'unsafe-inline'; img-src data:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
}
"""Nothing is cached, nothing is loaded, and no other site learns the URL."""

_TEXTS = {
    ("connected", "en"): "{} is connected | You can close this page and return to the terminal.",
    ("connected", "da"): "{} er forbundet | Du kan lukke siden og gå tilbage til terminalen.",
    ("cancelled", "en"): "Not connected | Access was not granted: e-conomic returned no token. "
    "Run the command again and add the app.",
    ("cancelled", "da"): "Ikke forbundet | Der blev ikke givet adgang: e-conomic sendte ingen "
    "token. Kør kommandoen igen, og tilføj appen.",
    ("failed", "en"): "Not connected | Return to the terminal to continue.",
    ("failed", "da"): "Ikke forbundet | Gå tilbage til terminalen for at fortsætte.",
    ("checking", "en"): "Almost there | The grant is still being checked. See the terminal.",
    ("checking", "da"): "Næsten færdig | Adgangen bliver stadig kontrolleret. Se i terminalen.",
    ("used", "en"): "This link has already been used | It works only once. See the terminal.",
    ("used", "da"): "Linket er allerede brugt | Det virker kun én gang. Se i terminalen.",
    ("unknown", "en"): "Nothing here | This URL belongs to a program waiting for e-conomic. "
    "Finish on e-conomic's page, or start again in the terminal.",
    ("unknown", "da"): "Her er ikke noget | Adressen hører til et program, der venter på "
    "e-conomic. Gør det færdigt på e-conomics side, eller begynd forfra i terminalen.",
}
"""Heading and text of each kind of page."""

_HTML = """<!doctype html>
<html lang="{language}">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark }}
body {{ max-width: 32rem; margin: 3rem auto; padding: 0 1.25rem; overflow-wrap: anywhere;
  font: 1rem/1.5 system-ui, sans-serif }}
h1 {{ font-size: 1.4rem; padding-left: .75rem; border-left: .3rem solid {color} }}
span {{ white-space: nowrap }}
</style>
<h1>{heading}</h1>
{body}
</html>
"""


class Page(NamedTuple):
    """What a page says.

    Args:
        kind: as in the table of texts.
        detail: the company's name, or what went wrong, in English.
    """

    kind: str
    detail: str = ""


def render(page: Page, accept_language: str = "") -> str:
    """Return the HTML of a page, in Danish if the browser prefers that to English.

    Browsers list languages in the order of preference, so their q-values need not be read.
    """
    preferred = re.search(r"(?:^|,)\s*(da|en)\b", accept_language.lower())
    language = preferred[1] if preferred else "en"
    title, text = _TEXTS[page.kind, language].split(" | ")
    title = title.format(page.detail)
    reason = f'<p lang="en">{_html(page.detail)}</p>\n' if page.kind == "failed" else ""
    color = "#2a9d62" if page.kind == "connected" else "#c8652b"
    return _HTML.format(
        language=language,
        title=escape(title),
        heading=_html(title),
        body=f"{reason}<p>{_html(text)}</p>",
        color=color,
    )


def _html(text: str) -> str:
    """Return HTML in which e-conomic does not break at its hyphen."""
    return escape(text).replace("e-conomic", "<span>e-conomic</span>")
