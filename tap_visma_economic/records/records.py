"""What leaves the tap: records, and which properties of e-conomic's rows they have.

A stream's schema file (see `schemas`) names every documented property, which of them are links,
and which columns are lifted out of reference objects (`customerGroup: {customerGroupNumber, self}`
becomes `customerGroupNumber`). A `RowType` is that file and the user's selection, compiled.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

if TYPE_CHECKING:
    from collections.abc import Callable

Row = dict[str, Any]
"""One object as e-conomic sent it, numbers with a decimal point as Decimal."""

Record = dict[str, Any]
"""One object as the tap emits it."""

Schema = Mapping[str, Any]
Breadcrumb = tuple[str, ...]

Lifted = Mapping[str, tuple[str, Schema] | None]
"""By key of a reference object: the column it is lifted to and its schema, None if unwanted."""

ALWAYS_LINKS = ("self", "metaData")
"""Links wherever they appear, documented or not."""

AGREEMENT: Breadcrumb = ("properties", "agreementNumber")
"""Like every column with `x-stamp`, filled from what was asked for: no row can change it."""


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

    def wanted(self, name: str, column: Schema) -> bool:
        """Return whether a property of this object is to be kept."""
        return self.selected(self.at(name)) and ("x-link" not in column or self.include_links)

    def within(self, name: str) -> Selection:
        """Return the selection for an object nested in this one."""
        return replace(self, breadcrumb=self.at(name))


def lifted_columns(columns: Mapping[str, Schema], selection: Selection) -> Mapping[str, Lifted]:
    """Return the columns lifted out of reference objects, by object and key."""
    lifted: dict[str, dict[str, tuple[str, Schema] | None]] = {}
    for name, column in columns.items():
        if "x-source" in column:
            outer, key = column["x-source"].split(".")
            wanted = selection.selected(selection.at(name)) and "x-stamp" not in column
            lifted.setdefault(outer, {})[key] = (name, column) if wanted else None
    return lifted
