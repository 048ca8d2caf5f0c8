"""The signature of a webhook."""

from __future__ import annotations

import hmac

import pytest

from tap_visma_economic.webhooks.secret import is_signed, signature

SECRETS = ["a" * 32, "b" * 32]


def test_the_signature_is_hmac_sha256_of_the_agreement_number() -> None:
    """`printf 1234567 | openssl dgst -sha256 -hmac aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa`."""
    assert signature("a" * 32, 1234567) == (
        "38fa2518b308dd589951e9856f0f99b562ea9b41b3d6e4b1eb18816fdaaf4d5b"
    )


@pytest.mark.parametrize("given", [signature(SECRETS[0], 7), signature(SECRETS[1], 7), "", "\xe6"])
def test_all_secrets_are_compared_in_constant_time(
    given: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    compared: list[tuple[object, object]] = []
    constant_time = hmac.compare_digest

    def compare(one: bytes, other: bytes) -> bool:
        compared.append((one, other))
        return constant_time(one, other)

    monkeypatch.setattr(hmac, "compare_digest", compare)
    assert is_signed(given.encode(), 7, SECRETS) == (len(given) == 64)
    assert compared == [(given.encode(), signature(secret, 7).encode()) for secret in SECRETS]
