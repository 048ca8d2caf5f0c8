"""The page at which a company gives an app access, as e-conomic's ``requestaccess.aspx``.

Documented by e-conomic: the page, its ``locale``, that it names what the app asks for, and that the
token is shown, or passed to an address (https://www.e-conomic.com/developer/connect). Seen in
published integrations: ``appPublicToken``, ``redirectUrl``, and ``token`` in what comes back.
Assumed: that Cancel goes back to the same address without a token.

Nobody logs in to the sandbox. Whoever opens the page may act for every company, as an
administrator of all of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any
from urllib.parse import urlencode, urlsplit

from .answers import Answer
from .grants import Grant
from .query import Query

PATH = "/secure/api1/requestaccess.aspx"
APP_NAME = "Warehouse sync"
APP_PUBLIC_TOKEN = "public-token-of-the-app"

_HTML = "text/html; charset=utf-8"
_DEFAULT = "en-US"
_WORDS = {
    "en-US": ("asks for access to your e-conomic", "Company", "Add app", "Cancel"),
    "da-DK": ("beder om adgang til jeres e-conomic", "Aftale", "Tilføj app", "Annuller"),
    "nb-NO": ("ber om tilgang til deres e-conomic", "Avtale", "Legg til app", "Avbryt"),
    "sv-SE": ("ber om åtkomst till er e-conomic", "Avtal", "Lägg till app", "Avbryt"),
}

_PAGE = """<!doctype html>
<html lang="{lang}"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1"><title>{title}</title>
<style>body {{ font: 1rem/1.5 sans-serif; margin: 0; background: #eef1f3; color: #222 }}
main {{ max-width: 30rem; margin: 3rem auto; padding: 1.5rem 2rem; background: #fff }}
h1 {{ font-size: 1.3rem }} select, button {{ font: inherit; padding: .4rem .8rem }}
select {{ width: 100%; margin-bottom: 1rem }} code {{ overflow-wrap: anywhere }}
@media (max-width: 34rem) {{ main {{ margin: 0; min-height: 100vh; box-sizing: border-box }} }}
</style></head><body><main>{body}</main></body></html>
"""


def installation_url(base_url: str) -> str:
    """The address at which the sandbox's app is added."""
    return f"{base_url}{PATH}?{urlencode({'appPublicToken': APP_PUBLIC_TOKEN})}"


def answer(query: Query, grants: Mapping[str, Grant]) -> Answer:
    """The page, or what one of its buttons leads to."""
    if query.get("apppublictoken") != APP_PUBLIC_TOKEN:
        return _page(400, _DEFAULT, "Unknown app", "<h1>There is no such app</h1>")
    lang = query.get("locale") if query.get("locale") in _WORDS else _DEFAULT
    choice, redirect = query.get("answer"), query.get("redirecturl")
    if not choice:
        return _question(query, lang, grants)
    token = list(grants)[int(query.get("company"))] if choice == "add" else None
    if redirect:
        found = {"token": token} if token else {}
        return Answer(302, b"", _HTML, {"Location": _with(redirect, found)})
    told = f"<h1>Token</h1><p><code id=token>{escape(token)}</code></p>" if token else "<h1>-</h1>"
    return _page(200, lang, APP_NAME, told)


def _question(query: Query, lang: str, grants: Mapping[str, Grant]) -> Answer:
    asks, company, add, cancel = _WORDS[lang]
    kept = "".join(
        f'<input type=hidden name="{escape(name)}" value="{escape(value)}">'
        for name, value in query.pairs
    )
    options = "".join(
        f'<option value="{place}">{escape(_company(grant))}</option>'
        for place, grant in enumerate(grants.values())
    )
    body = (
        f"<h1>{APP_NAME} {asks}</h1><form>{kept}"
        f"<label>{company}<select name=company>{options}</select></label>"
        f"<button name=answer value=add>{add}</button> "
        f"<button name=answer value=cancel>{cancel}</button></form>"
    )
    return _page(200, lang, APP_NAME, body)


def _company(grant: Grant) -> str:
    row: dict[str, Any] = dict(grant.company.rows("rest:/self")[0])
    return f"{row['company']['name']}, {grant.company.agreement_number}, {grant.role}"


def _with(url: str, pairs: dict[str, str]) -> str:
    joint = "&" if urlsplit(url).query else "?"
    return f"{url}{joint}{urlencode(pairs)}" if pairs else url


def _page(status: int, lang: str, title: str, body: str) -> Answer:
    page = _PAGE.format(lang=lang, title=escape(title), body=body)
    return Answer(status, page.encode(), _HTML)
