"""Money as whole øre: exact sums, one rounding rule, and the Decimals that rows hold."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

# Kroner per 100 units of a currency, in 1/10,000 kroner, as e-conomic writes exchange rates.
BASE_RATE = 1_000_000
_RATES = {"EUR": 7_460_513, "SEK": 660_427, "USD": 6_899_950, "NOK": 638_850}


def kr(ore: int) -> Decimal:
    """Øre as kroner with two decimals: 123450 -> 1234.50."""
    return Decimal(ore).scaleb(-2)


def wide(ore: int) -> Decimal:
    """Øre as kroner with six decimals, the way sales documents show them: 253000 -> 2530.000000."""
    return Decimal(ore * 10_000).scaleb(-6)


def ore(kroner: Decimal) -> int:
    """Kroner as whole øre.

    Raises:
        ValueError: there is more than a whole number of øre.
    """
    scaled = kroner.scaleb(2)
    if scaled != int(scaled):
        raise ValueError(f"{kroner} is not a whole number of øre")
    return int(scaled)


def share(amount: int, part: int, whole: int) -> int:
    """``amount * part / whole``, rounded half away from zero (``whole`` is positive)."""
    product = amount * part
    half = whole // 2
    return (product + half) // whole if product >= 0 else -((-product + half) // whole)


def rate_of(currency: str, month: int = 0) -> int:
    """Kroner per 100 units in 1/10,000; it drifts a little with the months since the beginning."""
    if currency == "DKK":
        return BASE_RATE
    rate = _RATES[currency]
    return rate + (month * 37 % 11 - 5) * (rate // 4000)


def rate_on(currency: str, day: date) -> int:
    """The rate of a day, see ``rate_of``."""
    return rate_of(currency, (day.year - 2023) * 12 + day.month)


def to_base(amount: int, rate: int) -> int:
    """An amount of a foreign currency in øre, at a rate of ``rate_of``."""
    return amount if rate == BASE_RATE else share(amount, rate, BASE_RATE)


def from_base(amount: int, rate: int) -> int:
    """Øre in a foreign currency, at a rate of ``rate_of``."""
    return amount if rate == BASE_RATE else share(amount, BASE_RATE, rate)


def rate_value(rate: int) -> Decimal:
    """A rate as e-conomic shows it: 1000000 -> 100.000000."""
    return Decimal(rate * 100).scaleb(-6)
