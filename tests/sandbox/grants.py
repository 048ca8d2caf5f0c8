"""Grants: which token opens which company, with which role and modules."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from .values import Link, Row

ROLES = {"Bookkeeping": 1, "SuperUser": 2, "Sales": 3, "ProjectEmployee": 5}
"""The roles of apps, and their numbers."""


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

    def rows(self, endpoint: str, params: tuple[str, ...] = ()) -> Sequence[Row]:
        """The company's rows as the grant's app sees them: ``/self`` names the app's role."""
        rows = self.company.rows(endpoint, params)
        if endpoint != "rest:/self" or self.role == "SuperUser":
            return rows
        number = ROLES[self.role]
        told = {"roleNumber": number, "name": self.role, "self": Link(f"/app-roles/{number}")}
        apps: list[Any] = [row.get("application") or {} for row in rows]
        return [
            {**row, "application": {**app, "requiredRoles": [told]}}
            for row, app in zip(rows, apps, strict=True)
        ]

    def has(self, module: str | None) -> bool:
        """Whether a paid module is there; None asks for no module."""
        return module is None or module in (
            self.company.modules if self.modules is None else self.modules
        )
