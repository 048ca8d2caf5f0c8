"""Which of e-conomic's properties the records of a stream have, and the types of both."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

Row = dict[str, Any]
"""One object as e-conomic sent it, numbers with a decimal point as Decimal."""

Record = dict[str, Any]
"""One object as the tap emits it."""

Schema = Mapping[str, Any]
Breadcrumb = tuple[str, ...]


@dataclass(frozen=True)
class Selection:
    """Which properties of one object are wanted.

    Args:
        selected: whether the property at a breadcrumb is.
        include_links: keep links, and the reference objects that columns were lifted from.
        breadcrumb: where in the schema the object is.
    """

    selected: Callable[[Breadcrumb], bool] = lambda _: True
    include_links: bool = False
    breadcrumb: Breadcrumb = ()

    def at(self, name: str) -> Breadcrumb:
        """Return the breadcrumb of a property of this object."""
        return (*self.breadcrumb, "properties", name)

    def has(self, name: str) -> bool:
        """Return whether a property of this object is selected."""
        return self.selected(self.at(name))

    def wanted(self, name: str, column: Schema) -> bool:
        """Return whether a property of this object is to be kept."""
        return self.has(name) and ("x-link" not in column or self.include_links)

    def within(self, name: str) -> Selection:
        """Return the selection for an object nested in this one."""
        return replace(self, breadcrumb=self.at(name))
