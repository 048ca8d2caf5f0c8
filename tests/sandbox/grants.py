"""Grants: which token opens which company, with which role and modules."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .values import Row


class CompanyLike(Protocol):
    """What the server asks of a company; see ``company.Company``."""

    @property
    def agreement_number(self) -> int: ...

    @property
    def modules(self) -> frozenset[str]: ...

    def rows(self, endpoint: str, params: tuple[str, ...] = ()) -> Sequence[Row]: ...


@dataclass(frozen=True)
class Grant:
    """Access to one company.

    Attributes:
        company: the company whose agreement it opens.
        role: SuperUser, Bookkeeping, Sales or ProjectEmployee.
        modules: the paid modules it has; None: those of the company.
    """

    company: CompanyLike
    role: str = "SuperUser"
    modules: frozenset[str] | None = None

    def has(self, module: str | None) -> bool:
        """Whether a paid module is there; None asks for no module."""
        return module is None or module in (
            self.company.modules if self.modules is None else self.modules
        )
