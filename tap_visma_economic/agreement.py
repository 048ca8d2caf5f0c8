"""The agreements of a run: which company each grant opens, and whether it is still usable."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from tap_visma_economic.agreements_file import Grant
from tap_visma_economic.errors import ConfigError, EconomicError, shown
from tap_visma_economic.http import HttpClient
from tap_visma_economic.records.pages import Page
from tap_visma_economic.records.selection import Row

logger = logging.getLogger("tap-visma-economic")


@dataclass(eq=False)
class Agreement:
    """One company's agreement with e-conomic.

    Args:
        number: agreementNumber, a column of every record.
        grant: the grant that opens it.
        name: the company's name, for messages.
        http: the HTTP client with its tokens and its rate limit.
        page: the response of `/self`, the row of the stream `agreements`; None if not requested.
        refused: e-conomic returned 401 during this run; no more requests are sent.
        rows: rows written.
        skipped: streams that the grant cannot read, and why.
        failed: what could not be read completely, and why.
        whole: streams of which every row was written.
    """

    number: int
    grant: Grant
    name: str
    http: HttpClient
    page: Page | None
    refused: bool = False
    rows: int = 0
    skipped: dict[str, str] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    whole: set[str] = field(default_factory=set)

    @property
    def context(self) -> dict[str, int]:
        """The SDK context of this agreement's partition. It is in the state and in logs."""
        return {"agreementNumber": self.number}

    @property
    def myself(self) -> Row:
        """What `/self` has of it, empty if it was not requested."""
        return self.page.rows[0] if self.page else {}

    def __str__(self) -> str:
        return f"agreement {self.number} ({self.name})" if self.name else f"agreement {self.number}"


@dataclass(frozen=True, slots=True)
class Agreements:
    """The agreements of a run.

    Args:
        usable: those whose grants work, in the order of the settings.
        failures: the grants that do not, and why.
    """

    usable: tuple[Agreement, ...]
    failures: Mapping[Grant, EconomicError]

    def __iter__(self) -> Iterator[Agreement]:
        return iter(self.usable)


def read_agreements(
    identified: Iterable[tuple[Grant, Callable[[], Agreement]]],
) -> Agreements:
    """Return the agreements that grants open, in order.

    Args:
        identified: each grant, with a function that returns its agreement or raises.

    Raises:
        ConfigError: no grant is usable, or two grants are for the same agreement.
    """
    found: dict[int, tuple[str, Agreement]] = {}
    failures: dict[Grant, EconomicError] = {}
    for grant, answer in identified:
        where = grant.where
        try:
            agreement = answer()
        except EconomicError as error:
            failures[grant] = error
            continue
        other, _ = found.setdefault(agreement.number, (where, agreement))
        if other != where:
            raise ConfigError(
                f"{where} and {other} are both for {agreement}. Remove one of them: an agreement "
                "is read only once"
            )
    lines = [f"{grant.where}: {error}" for grant, error in failures.items()]
    if not found and len(lines) == 1:
        raise ConfigError(f"No agreement can be read. {lines[0]}")
    for line in lines:
        logger.error("Cannot use %s", line)
    if not found:
        raise ConfigError("No agreement can be read; see the errors above")
    return Agreements(tuple(agreement for _, agreement in found.values()), failures)


def identified(grant: Grant, http: HttpClient, page: Page) -> Agreement:
    """Return the agreement that `/self` shows for a grant.

    Raises:
        EconomicError: it is another one than the agreements file says, or not shown.
    """
    row = page.rows[0]
    number = row.get("agreementNumber")
    if type(number) is not int:
        raise EconomicError(
            "e-conomic returned no agreement number for this grant (GET /self). Try again, or "
            "contact e-conomic if it persists"
        )
    company = row.get("company")
    name = company.get("name") if isinstance(company, dict) else None
    agreement = Agreement(number, grant, shown(name) if isinstance(name, str) else "", http, page)
    if grant.number not in (None, number):
        raise EconomicError(
            f"the grant is for {agreement}, not for agreement {grant.number}. Correct "
            "agreement_number, or replace the token"
        )
    http.whose = str(agreement)
    return agreement
