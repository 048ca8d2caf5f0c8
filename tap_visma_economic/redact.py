"""Redaction: tokens are masked in whatever this process shows, however they are written there."""

from __future__ import annotations

import contextlib
import copy
import json
import logging
import re
from base64 import b64encode
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

if TYPE_CHECKING:
    import requests

PUBLIC = frozenset({"demo"})
"""Tokens that are not secret: those of e-conomic's public demo company."""

WEBHOOK_HEADER = "X-Webhook-Secret"
"""The header by which our receiver knows a webhook."""

_SIGNATURE = re.compile(r"[0-9a-f]{64,}", re.IGNORECASE)
"""By which our receiver knows a webhook, with what an escaped quotation mark before it ends in."""

_NAME = re.compile(r"_{0,2}[A-Za-z]{1,20}([_.-][A-Za-z]{1,20}){0,9}_{0,2}", re.ASCII)
"""What a setting's name looks like. Anything else in its place could be a token."""


def redacted(text: str, tokens: Iterable[str | None]) -> str:
    """Return text in which no token is shown."""
    return _masked(text, _forms(tokens))


def without_signatures(text: str) -> str:
    """Return text in which no signature of a webhook is shown."""
    return _SIGNATURE.sub("***", text)


def name_shown(name: str) -> str:
    """Return an unknown name that a user wrote, unless it could be a token."""
    return name if _NAME.fullmatch(name) else "(not shown: it could be a token)"


def with_content(response: requests.Response, content: bytes) -> requests.Response:
    """Return a copy of a response with other content, in which secrets are masked."""
    masked = copy.copy(response)
    masked._content = content  # noqa: SLF001
    return masked


def redact_logs(tokens: Iterable[str | None]) -> None:
    """Mask these tokens in everything that this process logs from now on.

    A record factory, because a filter would miss the records of other loggers or handlers.
    """
    forms = _forms(tokens)

    def factory(*args: Any, **kwargs: Any) -> logging.LogRecord:
        record = logging.LogRecord(*args, **kwargs)
        with contextlib.suppress(TypeError, ValueError):  # wrong arguments: logging reports them
            text = record.getMessage()
            if (masked := _masked(text, forms)) != text:
                record.msg, record.args = masked, ()
        error = record.exc_info[1] if record.exc_info else None
        while error:
            error.args = tuple(_masked(a, forms) if isinstance(a, str) else a for a in error.args)
            error = error.__cause__ or error.__context__
        return record

    logging.setLogRecordFactory(factory)


def _masked(text: str, forms: Iterable[str]) -> str:
    for form in forms:
        text = text.replace(form, "(a token)")
    return text


def _forms(tokens: Iterable[str | None]) -> list[str]:
    """Return tokens as they are, and as Python, JSON, URLs and Base64 write them."""
    return [
        form
        for token in tokens
        if token and token not in PUBLIC
        for form in (
            token,
            repr(token)[1:-1],
            json.dumps(token)[1:-1],
            quote(token, safe="", errors="surrogatepass"),
            b64encode(token.encode("utf-8", "surrogatepass")).decode(),
        )
    ]
