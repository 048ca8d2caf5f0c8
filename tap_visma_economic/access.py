"""What a grant may read: one cheap call per stream tells, and no data is read.

The roles and modules stated here explain a refusal; whether there is one, e-conomic says
(docs/economic-api.md#roles-and-modules).
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from tap_visma_economic.client import OpenApiStream
from tap_visma_economic.errors import (
    AccessDeniedError,
    EconomicError,
    GrantRefusedError,
    NotFoundError,
    shown,
)
from tap_visma_economic.filters import compare
from tap_visma_economic.kinds import Listing

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from tap_visma_economic.agreement import Agreement
    from tap_visma_economic.pagination import Query
    from tap_visma_economic.paths import PathContext
    from tap_visma_economic.records.records import Row
    from tap_visma_economic.run import Run
    from tap_visma_economic.stream import EconomicStream

# What e-conomic documents

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
    # REST, by the first word of the path: as far as e-conomic's page on permissions goes
    "/accounting-years": BOOKKEEPING,
    "/customers": SALES,
    "/invoices": SALES,
}
"""Roles that may read: of a stream, or else of its module (the OpenAPI documents' required
application roles), or else of its path."""


@dataclass(frozen=True, slots=True)
class PaidModule:
    """A module that a company pays for, by its number in `/self`."""

    number: int
    name: str


PAID = {
    "dimensionsapi": PaidModule(14, "Dimension"),
    "projectsapi": PaidModule(4, "Project"),
    "subscriptionsapi": PaidModule(74, "Subscription"),
}
"""The paid module that a module of the API needs."""

FREE = {"employee_groups", "openapi_employees"}
"""Streams of such a module that are served without it."""


AnyStream = Any
"""A stream or its class, whose attributes the SDK types as an instance's."""


def roles_of(stream: AnyStream) -> tuple[str, ...] | None:
    """Return the roles that may read a stream, None where e-conomic does not say."""
    module = getattr(stream, "module", "/" + stream.path.split("/")[1])
    return ROLES.get(stream.name) or ROLES.get(module)


def paid_module_of(stream: AnyStream) -> PaidModule | None:
    """Return the paid module a stream needs, None if it needs none."""
    return None if stream.name in FREE else PAID.get(getattr(stream, "module", ""))


# Asking


class Access(enum.Enum):
    """Whether a grant may read a stream."""

    YES = "yes"
    NO = "no"
    FAILED = "failed"
    NOT_ASKED = "not asked"
    OFF = "off"


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found out about one stream of one agreement.

    Args:
        access: whether it can be read.
        why: why not; empty if it can.
        first: values that fill the path of a stream below it; None if it has no row.
        error: what went wrong, if something did.
    """

    access: Access
    why: str = ""
    first: Row | None = None
    error: EconomicError | None = None


Findings = dict[str, Finding]
"""By the stream's name."""


def ask_all(run: Run, streams: Sequence[EconomicStream], agreement: Agreement) -> Findings:
    """Ask for every stream of the catalog once, parents before the streams below them.

    A parent that the catalog leaves out is asked for too, but not told of. After a 401 nothing more
    is asked: the rest is `NOT_ASKED`.
    """
    findings: Findings = {}
    for generation in _generations(run, streams):
        ask = partial(_ask_below, agreement=agreement, findings=findings)
        at_once = run.setting("concurrency")
        for stream, outcome in run.prefetcher.outcomes(ask, generation, at_once=at_once):
            found = outcome()
            findings[stream.name] = found
            if isinstance(found.error, GrantRefusedError):
                run.refuse(agreement, found.error)
                break
        if agreement.refused:
            break
    not_asked = Finding(Access.NOT_ASKED)
    return {stream.name: findings.get(stream.name, not_asked) for stream in streams}


def _generations(run: Run, streams: Sequence[EconomicStream]) -> Iterator[list[EconomicStream]]:
    """Yield the streams without a parent, those below them, and so on."""
    every: dict[type[Any], EconomicStream] = {}

    def add(stream: EconomicStream) -> None:
        if type(stream) not in every:
            every[type(stream)] = stream
            if stream.parent is not None:
                add(run.stream(stream.parent))

    for stream in streams:
        add(stream)
    parents: set[type[Any] | None] = {None}
    while generation := [stream for stream in every.values() if stream.parent in parents]:
        yield generation
        parents = {type(stream) for stream in generation}


def _ask_below(stream: EconomicStream, *, agreement: Agreement, findings: Findings) -> Finding:
    """Ask for a stream, unless its parent has answered for it. May run in any thread."""
    parent: AnyStream = stream.parent
    above = findings[parent.name] if parent else None
    if above and above.access is not Access.YES:
        why = above.why if above.why.startswith("as ") else f"as {parent.name}: {above.why}"
        return Finding(above.access, why)
    if above and above.first is None and not isinstance(stream, OpenApiStream):
        return Finding(Access.YES)  # nothing is above it: a run has nothing to ask for either
    context = {**agreement.context, **_parameters(stream, above.first if above else None)}
    try:
        first = _ask(stream, agreement, context)
    except NotFoundError:
        return Finding(Access.YES)  # the grant may ask, and nothing is there
    except AccessDeniedError as error:
        return Finding(Access.NO, _reason(stream, agreement, error), error=error)
    except EconomicError as error:
        return Finding(Access.FAILED, str(error), error=error)
    return Finding(Access.YES, first={**context, **first} if first else None)


def _parameters(stream: EconomicStream, above: Row | None) -> dict[str, Any]:
    """Return what fills a stream's path: of fixed values the first, else those of a row above.

    Below an unknown parent the OpenAPI answers an empty listing, so that any will do
    (docs/economic-api.md#openapi-listings).
    """
    return {
        name: source[0] if isinstance(source, tuple) else (above or {}).get(source, 1)
        for name, source in stream.path_params.items()
    }


def _ask(stream: EconomicStream, agreement: Agreement, context: PathContext) -> Row | None:
    """Ask as little as e-conomic lets one ask; return a row if one had to be read."""
    if stream.listing is Listing.SELF:
        return agreement.page.rows[0]
    if isinstance(stream, OpenApiStream) and stream.is_counted:
        stream.count_one(agreement.http, context, None)
        return None
    page = stream.fetch(agreement.http, context, _least(stream))
    return page.rows[0] if page.rows else None


def _least(stream: EconomicStream) -> Query:
    """Return the query for one row at most, or the one answer there is."""
    if stream.listing in {Listing.PAGED, Listing.CHANGELOG}:
        return {"pageSize": 1, "skipPages": 0}
    if stream.listing is not Listing.COLLECTION:
        return {}
    if not isinstance(stream, OpenApiStream):
        return {"pagesize": 1}
    key = next(name for name in stream.own_primary_keys if name != "agreementNumber")
    return {"filter": compare(key, "eq", 0)}  # not counted, nor paged by size: numbers begin at 1


def _reason(stream: EconomicStream, agreement: Agreement, error: AccessDeniedError) -> str:
    """Return why e-conomic refuses: the module, the role, or its own words."""
    documented, has = roles_of(stream), roles(agreement)
    module = paid_module_of(stream)
    if "module" in error.gist.lower():
        return f"module: {error.gist}"
    if documented and has and not set(map(_plain, documented)) & set(map(_plain, has)):
        return f"role: needs {' or '.join(documented)}, the app has {', '.join(has)}"
    if module and module.number not in modules(agreement):
        return f"module: needs {module.name} (no. {module.number})"
    about = "role" if "role" in error.gist.lower() else "role or module"
    return f"{about}: {error.gist or 'e-conomic does not say which'}"


def _plain(role: str) -> str:
    return "".join(role.split()).casefold()


# What /self tells


def roles(agreement: Agreement) -> list[str]:
    """Return the roles of the app, as far as `/self` tells."""
    application = _object(_self(agreement).get("application"))
    return [
        role["name"]
        for role in _objects(application.get("requiredRoles"))
        if _is_text(role, "name")
    ]


def modules(agreement: Agreement) -> dict[int, str]:
    """Return the modules of the company, number to name, as far as `/self` tells."""
    return {
        module["moduleNumber"]: module["name"]
        for module in _objects(_self(agreement).get("modules"))
        if type(module.get("moduleNumber")) is int and _is_text(module, "name")
    }


def _who(agreement: Agreement) -> list[tuple[str, str]]:
    """Return what to call the user, the app and its roles, and the modules."""
    told = _self(agreement)
    user, app = _object(told.get("user")), _object(told.get("application"))
    names = [user[name] for name in ("name", "loginId") if _is_text(user, name)]
    return [
        ("user", ", ".join(names) or "not told"),
        ("app", app["name"] if _is_text(app, "name") else "not told"),
        ("roles", ", ".join(roles(agreement)) or "not told"),
        ("modules", ", ".join(modules(agreement).values()) or "none told"),
    ]


def _self(agreement: Agreement) -> Row:
    return agreement.page.rows[0]


def _object(value: object) -> Row:
    return value if isinstance(value, dict) else {}


def _objects(value: object) -> list[Row]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _is_text(row: Row, name: str) -> bool:
    return isinstance(row.get(name), str)


# Telling


def report(agreement: Agreement, findings: Findings, streams: Sequence[AnyStream]) -> str:
    """Return who an agreement is and a table of its streams, as text with aligned columns.

    Args:
        agreement: whose grant was tried.
        findings: what `ask_all` found out.
        streams: all there are, in the order in which to tell them; a stream that nothing was found
            out about is none of the catalog.
    """
    shown = {stream.name: findings.get(stream.name, _OFF) for stream in streams}
    can = sum(found.access is Access.YES for found in shown.values())
    asked = sum(found is not _OFF for found in shown.values())
    head = [*_who(agreement), ("streams", f"{can} of {asked} can be read")]
    rows = [(name, found.access.value, found.why) for name, found in shown.items()]
    lines = [str(agreement), *_aligned(head), "", *_aligned([("stream", "access", "why"), *rows])]
    return "\n".join(map(_printable, lines)) + "\n"


_OFF = Finding(Access.OFF, "disabled: only there with the setting all_streams")


def _aligned(rows: Sequence[tuple[str, ...]]) -> Iterable[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        yield f"  {'  '.join(cells)}".rstrip()


def _printable(line: str) -> str:
    """Return a line without what a company's name could do to a terminal."""
    return shown(line, len(line))
