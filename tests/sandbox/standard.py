"""The grants of the standard sandbox, and the companies behind them."""

from __future__ import annotations

from .books.bicycle_shop import BicycleShop
from .company import build_company
from .grants import Grant

SCALES = {"small": 2_000, "medium": 50_000, "large": 500_000}  # entries of the main company


def standard_grants(scale: str | int = "small", agreements: int = 0) -> dict[str, Grant]:
    """The grants of the standard sandbox.

    Args:
        scale: small, medium or large, or the number of ledger entries of the main company.
        agreements: how many small companies more, as ``company-1``, ``company-2`` and so on.
    """
    entries = SCALES[scale] if isinstance(scale, str) else scale
    main = build_company(
        1234567, "Nordlys Cykler & Fritid ApS", seed=1, entries=entries, story=BicycleShop
    )
    bare = build_company(1234570, "Uden Moduler I/S", seed=4, entries=200, modules=frozenset())
    sparse = build_company(1234571, "Sparsom Enkeltmandsfirma", seed=5, entries=60, sparse=True)
    grants = {
        "demo": Grant(main),
        "demo-2": Grant(build_company(1234568, "Fyns Træ & Tag A/S", seed=2, entries=600)),
        "demo-3": Grant(build_company(1234569, "Café Ægir ApS", seed=3, entries=300)),
        "no-modules": Grant(bare),
        "bookkeeping": Grant(main, role="Bookkeeping"),
        "sales": Grant(main, role="Sales"),
        "sparse": Grant(sparse),
    }
    for number in range(1, agreements + 1):
        company = build_company(
            2_000_000 + number, f"Selskab {number} ApS", seed=100 + number, entries=100
        )
        grants[f"company-{number}"] = Grant(company)
    return grants
