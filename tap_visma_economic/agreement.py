"""The companies to read: who they are, what their grants are good for, what became of them."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tap_visma_economic.errors import ConfigError, EconomicError, shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from tap_visma_economic.http import HttpClient
    from tap_visma_economic.prefetch import Prefetcher
    from tap_visma_economic.records.pages import Page

logger = logging.getLogger("tap-visma-economic")


@dataclass(eq=False)
class Agreement:
    """One company's e-conomic, as its grant shows it.

    Args:
        number: agreementNumber, stamped on every record.
        name: the company's name, for messages.
        http: its way to e-conomic, with its tokens and its call budget.
        page: the answer of `/self`: the row of the stream `agreements`.
        refused: e-conomic answered 401 during this run; nothing more is asked for.
    """

    number: int
    name: str
    http: HttpClient
    page: Page
    refused: bool = field(default=False)

    @property
    def context(self) -> dict[str, int]:
        """The SDK context of this agreement's partition. It goes to state and logs."""
        return {"agreementNumber": self.number}

    def __str__(self) -> str:
        return f"agreement {self.number} ({self.name})" if self.name else f"agreement {self.number}"


class Agreements:
    """The agreements of a run.

    Args:
        usable: those that answered, in the order of the settings.
        failures: what became of the others, one line each.
    """

    def __init__(self, usable: Sequence[Agreement], failures: Sequence[str]) -> None:
        self.usable = tuple(usable)
        self.failures = tuple(failures)

    def __iter__(self) -> Iterator[Agreement]:
        return iter(self.usable)


def read_agreements(
    clients: Iterable[tuple[str, HttpClient]],
    read_self: Callable[[HttpClient], Page],
    prefetcher: Prefetcher,
    *,
    at_once: int,
) -> Agreements:
    """Ask every grant who it is, concurrently, and return the agreements in order.

    Args:
        clients: where each grant stands in the settings, and the lane it opens.
        read_self: reads `/self` in a lane.
        prefetcher: makes several requests at once.
        at_once: grants to ask at the same time.

    Raises:
        ConfigError: no grant is usable, or two grants are for the same agreement.
    """
    found: dict[int, tuple[str, Agreement]] = {}
    failures: list[str] = []
    asked = prefetcher.outcomes(lambda named: read_self(named[1]), clients, at_once=at_once)
    for (where, http), answer in asked:
        try:
            agreement = agreement_of(http, answer())
        except EconomicError as error:
            failures.append(f"{where}: {error}")
            continue
        if agreement.number in found:
            raise ConfigError(
                f"{where} and {found[agreement.number][0]} are both for {agreement}. "
                "Remove one of them: an agreement is read once"
            )
        found[agreement.number] = where, agreement
    if not found and len(failures) == 1:
        raise ConfigError(f"No agreement can be read. {failures[0]}")
    for line in failures:
        logger.error("Cannot use %s", line)
    if not found:
        raise ConfigError("No agreement can be read: see above")
    return Agreements([agreement for _, agreement in found.values()], failures)


def agreement_of(http: HttpClient, page: Page) -> Agreement:
    """Return the agreement that `/self` shows for a grant.

    Raises:
        EconomicError: the answer does not say which one it is.
    """
    row = page.rows[0]
    number = row.get("agreementNumber")
    if type(number) is not int:
        raise EconomicError("e-conomic did not say which agreement the grant is for (GET /self)")
    company = row.get("company")
    name = company.get("name") if isinstance(company, dict) else None
    agreement = Agreement(number, shown(name) if isinstance(name, str) else "", http, page)
    http.whose = str(agreement)
    return agreement
