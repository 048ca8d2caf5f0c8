"""The secret by which the receiver knows requests of the webhooks that `register` made."""

from __future__ import annotations

import hashlib
import hmac
import os

from tap_visma_economic.errors import ConfigError

VARIABLE = "TAP_VISMA_ECONOMIC_WEBHOOK_SECRET"

_SHORTEST = 32
"""Characters. A signature stands in each company's e-conomic, where the secret could be guessed."""


def secrets() -> list[str]:
    """Return the secrets in the environment: the one to use, and in a rotation the one before.

    Raises:
        ConfigError: if there is none, more than two, or one that is too short or binary.
    """
    parts = os.environ.get(VARIABLE, "").split(",")
    found = [part.strip() for part in parts if part.strip()]
    if not found:
        raise ConfigError(
            f"{VARIABLE} is not set. Generate a secret, for example with openssl rand -hex 32"
        )
    if len(found) > 2:  # noqa: PLR2004
        raise ConfigError(f"{VARIABLE} must be one secret, or a new and an old one: NEW,OLD")
    if any(len(secret) < _SHORTEST or not secret.isprintable() for secret in found):
        raise ConfigError(
            f"{VARIABLE} must have at least {_SHORTEST} characters per secret, all printable"
        )
    return found


def signature(secret: str, agreement_number: int) -> str:
    """Return what a webhook of this agreement sends: hex HMAC-SHA256 of the agreement number."""
    return hmac.new(secret.encode(), str(agreement_number).encode(), hashlib.sha256).hexdigest()


def is_signed(given: bytes, agreement_number: int, known: list[str]) -> bool:
    """Return whether this is the signature by a known secret, in constant time."""
    expected = (signature(secret, agreement_number).encode() for secret in known)
    return sum(hmac.compare_digest(given.lower(), right) for right in expected) > 0
