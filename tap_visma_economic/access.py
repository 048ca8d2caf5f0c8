"""What a grant can read, checked with one cheap request per stream.

The roles and modules below only explain why access is denied; whether it is, e-conomic decides
(docs/economic-api.md#roles-and-modules).
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from tap_visma_economic.client import OpenApiStream
from tap_visma_economic.errors import (
    AccessDeniedError,
    EconomicError,
    GrantRefusedError,
    NotFoundError,
    shown,
)
from tap_visma_economic.filters import compare
from tap_visma_economic.pagination import Paged, PagedUpward
from tap_visma_economic.prefetch import SingleFlight
from tap_visma_economic.report import aligned

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tap_visma_economic.agreement import Agreement
    from tap_visma_economic.pagination import Query
    from tap_visma_economic.records.selection import Row
    from tap_visma_economic.run import Run
    from tap_visma_economic.stream import EconomicStream

T = TypeVar("T")

BOOKKEEPING = ("Bookkeeping", "SuperUser")
SALES = ("Sales", "SuperUser")
PROJECT = ("ProjectEmployee", "SuperUser")
SUPER_USER = ("SuperUser",)
ANY = ("Bookkeeping", "ProjectEmployee", "Sales", "SuperUser")

ROLES = {
    "accountingyearsapi": BOOKKEEPING,
    "accountsapi": BOOKKEEPING,
    "bookedEntriesapi": BOOKKEEPING,
    "budgetsapi": BOOKKEEPING,
    "customersapi": SALES,
    "dimensionsapi": BOOKKEEPING,
    "documentsapi": BOOKKEEPING,
    "journalsapi": BOOKKEEPING,
    "productsapi": SALES,
    "projectsapi": PROJECT,
    "q2capi": SALES,
    "subscriptionsapi": SALES,
    "suppliersapi": BOOKKEEPING,
    "webhooksapi": SUPER_USER,
    # streams that differ from their module
    "booked_invoice_line_dimensions": SALES,
    "dimension_distributions": ANY,
    "dimension_values": ANY,
    "dimensions": ANY,
    "employee_groups": SALES,
    "openapi_employees": SALES,
    "product_group_project_settings": ("ProjectEmployee", "Sales", "SuperUser"),
    "sales_document_line_dimensions": SALES,
    "webhook_event_types": ANY,
    # REST, by the first segment of the path, as far as e-conomic's page on permissions covers it
    "/accounting-years": BOOKKEEPING,
    "/customers": SALES,
    "/invoices": SALES,
}
"""Roles that can read a stream, by its name, its module (the OpenAPI documents' required
application roles) or its path."""


@dataclass(frozen=True, slots=True)
class PaidModule:
    """A module that a company pays for, with its number in `/self`."""

    number: int
    name: str


PAID = {
    "dimensionsapi": PaidModule(14, "Dimension"),
    "projectsapi": PaidModule(4, "Project"),
    "subscriptionsapi": PaidModule(74, "Subscription"),
}
"""The paid module that a module of the API requires."""

FREE = {"employee_groups", "openapi_employees"}
"""Streams of these modules that are served without it."""


AnyStream = Any
"""A stream or its class, whose attributes the SDK types as an instance's."""


def roles_of(stream: AnyStream) -> tuple[str, ...] | None:
    """Return the roles that can read a stream, None where e-conomic does not document them."""
    module = getattr(stream, "module", "/" + stream.path.split("/")[1])
    return ROLES.get(stream.name) or ROLES.get(module)


def paid_module_of(stream: AnyStream) -> PaidModule | None:
    """Return the paid module a stream requires, None if it requires none."""
    return None if stream.name in FREE else PAID.get(getattr(stream, "module", ""))


class Access(enum.Enum):
    """Whether a grant can read a stream."""

    YES = "yes"
    NO = "no"
    FAILED = "failed"
    NOT_CHECKED = "not checked"
    OFF = "off"


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of checking one stream of one agreement.

    Args:
        access: whether it can be read.
        why: why not; empty if it can.
        first: values that fill the path of a stream below it; None if it has no row.
        error: what went wrong, if anything.
    """

    access: Access
    why: str = ""
    first: Row | None = None
    error: EconomicError | None = None


Findings = dict[str, Finding]
"""By the stream's name."""


def check(run: Run, streams: Sequence[EconomicStream], agreement: Agreement) -> Findings:
    """Check every stream of the catalog with one request, and its parents before it.

    Failures go into the run's report. A 401 ends the check: the rest is `NOT_CHECKED`.
    """
    known: SingleFlight[type[EconomicStream], Finding] = SingleFlight(run.prefetcher)

    def find(stream: EconomicStream) -> Finding:
        return known.get(type(stream), lambda: _find(stream, parent_of(stream), agreement))

    def parent_of(stream: EconomicStream) -> Finding | None:
        return find(run.stream(stream.parent)) if stream.parent else None

    findings = dict.fromkeys((stream.name for stream in streams), Finding(Access.NOT_CHECKED))
    at_once = run.setting("concurrency")
    for stream, outcome in run.prefetcher.outcomes(find, streams, at_once=at_once):
        found = findings[stream.name] = outcome()
        if isinstance(found.error, GrantRefusedError):
            run.refuse(agreement, found.error)
            break
        _report(run, stream, agreement, found)
    return findings


def _report(run: Run, stream: EconomicStream, agreement: Agreement, found: Finding) -> None:
    if found.access is Access.FAILED and found.error:
        run.report.fail(stream.name, agreement, found.error)
    elif found.access is Access.NO:
        run.report.deny(stream.name, agreement)
    elif found.access is Access.YES and not stream.is_self:
        run.report.allow(agreement)


def _find(stream: EconomicStream, above: Finding | None, agreement: Agreement) -> Finding:
    """Check a stream, unless the finding on its parent covers it. May run in any thread."""
    parent: AnyStream = stream.parent
    if above and above.access is not Access.YES:
        why = above.why if above.why.startswith("as ") else f"as {parent.name}: {above.why}"
        return Finding(above.access, why, error=above.error)
    if above and above.first is None and not isinstance(stream, OpenApiStream):
        return Finding(Access.YES)  # without a parent row there is nothing to request
    # Below an unknown parent an OpenAPI listing is empty, so that any value will do
    # (docs/economic-api.md#openapi-listings).
    row = (above and above.first) or {}
    context: Row = {
        **agreement.context,
        **{
            name: source[0] if isinstance(source, tuple) else row.get(source, 1)
            for name, source in stream.path_params.items()
        },
    }
    try:
        first = _request(stream, agreement, context)
    except NotFoundError:
        return Finding(Access.YES)  # access was granted, but nothing exists there
    except AccessDeniedError as error:
        return Finding(Access.NO, _reason(stream, agreement, error), error=error)
    except EconomicError as error:
        return Finding(Access.FAILED, str(error), error=error)
    return Finding(Access.YES, first={**context, **first} if first else None)


def _request(stream: EconomicStream, agreement: Agreement, context: Row) -> Row | None:
    """Request as little as e-conomic allows; return a row if one had to be read."""
    if stream.is_self:
        return agreement.myself
    if isinstance(stream, OpenApiStream) and stream.is_counted:
        stream.count_one(agreement.http, context, None)
        return None
    rows = stream.fetch(agreement.http, context, _smallest_query(stream)).rows
    return rows[0] if rows else None


def _smallest_query(stream: EconomicStream) -> Query:
    """Return the query for one row at most, or for the only response there is."""
    if stream.paginator_class in {Paged, PagedUpward}:
        return {"pageSize": 1, "skipPages": 0}
    if stream.is_single_object or stream.paginator_class:
        return {}
    if not isinstance(stream, OpenApiStream):
        return {"pagesize": 1}
    key = next(name for name in stream.own_primary_keys if name != "agreementNumber")
    return {"filter": compare(key, "eq", 0)}  # no count and no page size: numbers start at 1


def _reason(stream: EconomicStream, agreement: Agreement, error: AccessDeniedError) -> str:
    """Return why access was denied: the module, the role, or e-conomic's message."""
    required, granted, module = roles_of(stream), roles(agreement), paid_module_of(stream)
    if "module" in error.gist.lower():
        return f"module: {error.gist}"
    if required and granted and not set(map(_plain, required)) & set(map(_plain, granted)):
        return f"role: requires {' or '.join(required)}, the app has {', '.join(granted)}"
    if module and module.number not in _values(_self(agreement, "modules"), "moduleNumber", int):
        return f"module: requires {module.name} (no. {module.number})"
    about = "role" if "role" in error.gist.lower() else "role or module"
    return f"{about}: {error.gist or 'e-conomic gives no reason'}"


def _plain(role: str) -> str:
    return "".join(role.split()).casefold()


# What /self shows; none of it is relied upon


def roles(agreement: Agreement) -> list[str]:
    """Return the roles of the app, as far as `/self` shows them."""
    required = _values(_self(agreement, "application"), "requiredRoles", list)
    return [name for these in required for name in _values(these, "name", str)]


def _identity(agreement: Agreement) -> Iterator[tuple[str, str]]:
    """Yield the user, the app, its roles, and the company's modules."""
    user, app = _self(agreement, "user"), _self(agreement, "application")
    modules = _values(_self(agreement, "modules"), "name", str)
    yield "user", ", ".join(_values(user, "name", str) + _values(user, "loginId", str)) or "unknown"
    yield "app", ", ".join(_values(app, "name", str)) or "unknown"
    yield "roles", ", ".join(roles(agreement)) or "unknown"
    yield "modules", ", ".join(modules) or "none listed"


def _self(agreement: Agreement, name: str) -> object:
    return agreement.myself.get(name)


def _values(of: object, name: str, kind: type[T]) -> list[T]:
    """Return the values of this name and type in an object, or in each object of a list."""
    rows = of if isinstance(of, list) else [of]
    return [row[name] for row in rows if isinstance(row, dict) and type(row.get(name)) is kind]


def table(agreement: Agreement, findings: Findings, streams: Sequence[AnyStream]) -> str:
    """Return what an agreement's grant is, and which of these streams it can read, as a table.

    A stream without a finding is not in the catalog.
    """
    off = Finding(Access.OFF, "disabled: requires the setting all_streams")
    listed = [(stream.name, findings.get(stream.name, off)) for stream in streams]
    can = sum(found.access is Access.YES for found in findings.values())
    head = [*_identity(agreement), ("streams", f"{can} of {len(findings)} can be read")]
    rows = [(name, found.access.value, found.why) for name, found in listed]
    body = aligned(head)
    body += ["", *aligned([("stream", "access", "reason"), *rows])] if rows else []
    lines = [str(agreement), *(f"  {line}" if line else "" for line in body)]
    return "\n".join(shown(line, len(line)) for line in lines) + "\n"  # safe for a terminal
