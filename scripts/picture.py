"""The demo's picture, from the tap's JSONL: results by month, and open receivables by age.

Amounts are decimals from file to figure, in the company's base currency.
"""

from __future__ import annotations

import json
from base64 import b64encode
from calendar import month_abbr, month_name
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from html import escape
from io import BytesIO
from textwrap import wrap
from typing import TYPE_CHECKING, Any

import vl_convert
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from scripts.trial_balance import loaded

if TYPE_CHECKING:
    from datetime import date
    from pathlib import Path

# Up to how many days overdue an item is in which of them.
AGES = {
    "Not due": 0,
    "1 to 30 days overdue": 30,
    "31 to 60 days overdue": 60,
    "61 to 90 days overdue": 90,
    "Over 90 days overdue": 100_000,
}
UNALLOCATED = "Unallocated payments and credit notes"
MINUS = "\N{MINUS SIGN}"
_LOSS, _COLOURS = "#c2552d", ("#2b6cb0", "#f0c48a", "#e6a05a", "#d67c36", "#b5501c", "#8b929a")
# Paper, ink, lesser ink.
_LIGHT, _DARK = ("#ffffff", "#1f2328", "#57606a"), ("#14181d", "#e6edf3", "#9da7b1")
# Which screens a drawing is for, and whether it is dark and narrow.
_MEDIA = (
    ("(prefers-color-scheme: dark) and (max-width: 700px)", True, True),
    ("(max-width: 700px)", False, True),
    ("(prefers-color-scheme: dark)", True, False),
    ("", False, False),
)
_PAGE = f"""<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{}}: monthly result and open receivables</title>
<style>
:root {{{{ color-scheme: light dark; }}}}
body {{{{ margin: 0; background: light-dark({_LIGHT[0]}, {_DARK[0]}); text-align: center; }}}}
img {{{{ max-width: 100%; height: auto; }}}}
</style>
<picture>
{{}}
{{}}
{{}}
{{}}
</picture>
</html>
"""

_ENTRIES = """
CREATE VIEW entries AS SELECT entry.*, accountType
FROM booked_entries AS entry LEFT JOIN accounts USING (agreementNumber, accountNumber)
WHERE date <= coalesce(getvariable('today'), date)
"""

# Opening entries (types 7 and 8) are balances of earlier years, not business of the month.
_RESULTS = """
WITH months AS (
    SELECT unnest(generate_series(date_trunc('month', min(date)), max(date), INTERVAL 1 MONTH))
        AS month FROM entries
)
SELECT month::DATE, -coalesce(sum(amountInBaseCurrency), 0)
FROM months LEFT JOIN entries ON date_trunc('month', date) = month
    AND accountType = 'profitAndLoss' AND coalesce(type, 0) NOT IN (7, 8)
GROUP BY month ORDER BY month
"""

_OPEN_ITEMS = """
SELECT coalesce(dueDate, date), amount, remainder, amountInBaseCurrency FROM entries
WHERE accountType = 'status' AND customerNumber IS NOT NULL AND remainder <> 0
"""


@dataclass(frozen=True)
class Figures:
    """What the picture shows.

    Args:
        company: the company's name.
        currency: its base currency, such as DKK.
        as_of: the day of the latest entry, at whose end the figures hold.
        months: the results of the latest months by their first days, the last one unfinished.
        receivables: what customers owe, not rounded, by the names in `AGES` and `UNALLOCATED`.
    """

    company: str
    currency: str
    as_of: date
    months: dict[date, Decimal]
    receivables: dict[str, Decimal]

    @property
    def owed(self) -> Decimal:
        """What customers owe in all, rounded once."""
        return rounded(sum(self.receivables.values(), Decimal(0)))

    @property
    def overdue(self) -> Decimal:
        """What of it is overdue, before payments that are not allocated."""
        return rounded(sum((self.receivables[name] for name in list(AGES)[1:]), Decimal(0)))


def rounded(amount: Decimal) -> Decimal:
    """Return an amount with two decimals."""
    return amount.quantize(Decimal("0.01"), ROUND_HALF_UP)


def written(amount: Decimal, decimals: int = 2) -> str:
    """Return an amount as text, as in 1,234.50."""
    return f"{amount:,.{decimals}f}".replace("-", MINUS)


def figures(folder: Path, months: int = 18, *, today: date | None = None) -> Figures:
    """Return the figures of the JSONL files in a folder, which hold one company.

    Args:
        folder: with one file per stream.
        months: how many months back, at most; a company younger than that has fewer.
        today: entries dated after this day, such as accruals, are omitted. None: no entry is.

    Raises:
        ValueError: there are no booked entries.
    """
    with loaded(folder) as database:
        database.execute("SET VARIABLE today = ?::DATE", [today])
        database.execute(_ENTRIES)
        (as_of,) = database.execute("SELECT max(date) FROM entries").fetchone() or (None,)
        if as_of is None:
            raise ValueError(f"There are no booked entries in {folder}")
        results = database.execute(_RESULTS).fetchall()
        items = database.execute(_OPEN_ITEMS).fetchall()
    receivables = dict.fromkeys([*AGES, UNALLOCATED], Decimal(0))
    for due, amount, remainder, base in items:
        still = base * remainder / amount  # at the rate at which the entry was booked
        age = next(name for name, days in AGES.items() if (as_of - due).days <= days)
        receivables[age if still > 0 else UNALLOCATED] += still
    path = folder / "agreements.jsonl"
    lines = path.read_text("utf-8").splitlines() if path.exists() else ["{}"]
    company: dict[str, Any] = json.loads(lines[0])
    return Figures(
        (company.get("company") or {}).get("name") or "The company",
        (company.get("settings") or {}).get("baseCurrency") or "DKK",
        as_of,
        dict(results[-months:]),
        receivables,
    )


def draw(drawn: Figures, folder: Path) -> Path:
    """Draw the figures as `picture.png`, `picture-dark.png` and a page, whose path is returned."""
    told, sources = escape(summary(drawn)), []
    for media, dark, narrow in _MEDIA:
        drawing = chart(drawn, dark=dark, narrow=narrow)
        svg = vl_convert.vegalite_to_svg(drawing)
        data = f"data:image/svg+xml;base64,{b64encode(svg.encode()).decode()}"
        image = f'<img alt="{told}" src="{data}">'
        sources.append(f'<source media="{media}" srcset="{data}">' if media else image)
        if not narrow:
            _save_png(drawing, folder / f"picture{'-dark' * dark}.png", summary(drawn))
    page = folder / "picture.html"
    page.write_text(_PAGE.format(escape(drawn.company), *sources), encoding="utf-8")
    return page


def summary(drawn: Figures) -> str:
    """Return in words what the picture shows."""
    result = sum(drawn.months.values(), Decimal(0))
    return (
        f"{drawn.company}: monthly result from {_month(min(drawn.months))} to "
        f"{_month(max(drawn.months))}, {drawn.currency} {written(result)} in total; open "
        f"receivables by age, {drawn.currency} {written(drawn.owed)} in total, of which "
        f"{written(drawn.overdue)} is overdue"
    )


def chart(drawn: Figures, *, dark: bool = False, narrow: bool = False) -> dict[str, Any]:
    """Return the picture as a specification for Vega-Lite, for a screen or a phone."""
    paper, ink, quiet = _DARK if dark else _LIGHT
    width, columns = (330, 46) if narrow else (900, 120)
    day = f"As of {drawn.as_of.day} {_month(drawn.as_of)}, the day of the latest entry"
    months = dict(list(drawn.months.items())[-12 if narrow else -18 :])
    charts = [
        (*_results(drawn.currency, months), 220),
        (*_receivables(drawn, width, narrow=narrow), {"step": 34}),
    ]
    title = {"anchor": "start", "frame": "bounds", "fontSize": 17, "color": ink}
    return {
        "title": {"text": wrap(drawn.company, 28), "subtitle": day, "fontSize": 22, "offset": 20},
        "vconcat": [
            {
                "width": width,
                "height": height,
                "title": {"text": heading, "subtitle": wrap(told, columns)},
                "data": {"values": rows},
                "layer": layers,
            }
            for heading, told, rows, layers, height in charts
        ],
        "background": paper,
        "padding": 16 if narrow else 28,
        "spacing": 36,
        "config": {
            "font": "Liberation Sans, Arial, Helvetica, sans-serif",
            "axis": {"disable": True},
            "rule": {"color": ink},
            "text": {"color": ink, "fontSize": 13, "lineBreak": "|"},
            "title": {
                **title,
                "subtitleColor": quiet,
                "subtitleFontSize": 14,
                "subtitlePadding": 6,
            },
            "view": {"stroke": None},
        },
    }


def _results(currency: str, months: dict[date, Decimal]) -> tuple[Any, ...]:
    """Return heading, text, rows and layers of a drawing with a bar per month."""
    decimals = 0 if max(map(abs, months.values())) >= 50_000 else 1  # noqa: PLR2004
    first, last = min(months), max(months)
    starts = {it for it in months if it.month == 1} | {first} - {first.replace(month=12)}
    rows = [
        {
            "month": f"{month:%Y-%m}",
            "axis": month_abbr[month.month] + (f"|{month.year}" if month in starts else ""),
            "result": float(result),
            "label": written(result / 1000, decimals),
            "colour": _LOSS if result < 0 else _COLOURS[0],
            "opacity": 0.45 if month == last else 1,
        }
        for month, result in months.items()
    ]
    told = (
        f"Income less costs, {_month(first)} to {_month(last)}: {currency} "
        f"{written(sum(months.values(), Decimal(0)))} in total. {_month(last)} is not over and is "
        "fainter."
    )
    month = {"field": "month", "type": "ordinal"}
    result = {"field": "result", "type": "quantitative"}
    bar = {"color": _as_is("colour"), "opacity": _as_is("opacity")}
    layers = [
        {"mark": "bar", "encoding": {"x": month, "y": result, **bar}},
        *(
            {
                "transform": [{"filter": f"datum.result {sign} 0"}],
                "mark": {"type": "text", "dy": dy, "fontSize": 12},
                "encoding": {"x": month, "y": result, "text": {"field": "label"}},
            }
            for sign, dy in ((">=", -8), ("<", 10))
        ),
        {"mark": {"type": "text", "y": 242}, "encoding": {"x": month, "text": {"field": "axis"}}},
        {"mark": "rule", "encoding": {"y": {"datum": 0, "type": "quantitative"}}},
    ]
    return f"Monthly result, {currency} thousand", told, rows, layers


def _receivables(drawn: Figures, width: int, *, narrow: bool) -> tuple[Any, ...]:
    """Return heading, text, rows and layers of a drawing with a bar per age, and the total."""
    rows = [
        {"name": name, "owed": float(owed), "label": written(rounded(owed)), "colour": colour}
        for (name, owed), colour in zip(drawn.receivables.items(), _COLOURS, strict=True)
    ]
    if narrow:
        rows[-1]["name"] = UNALLOCATED.replace(" and", "|and")
    rows.append({"name": "Total", "owed": 0, "label": written(drawn.owed)})
    told = f"What customers owe, by the due date: {written(drawn.overdue)} is overdue."
    span = [165, width - 80] if narrow else [280, width - 110]
    name = {"field": "name", "type": "nominal", "sort": None}
    owed = {"field": "owed", "type": "quantitative", "scale": {"range": span, "nice": False}}
    layers = [
        {
            "mark": {"type": "bar", "height": 22},
            "encoding": {"y": name, "x": owed, "color": _as_is("colour")},
        },
        *(
            {
                "transform": [{"filter": f"datum.name {which} 'Total'"}],
                "mark": {"type": "text", "align": align, "x": x, "fontWeight": weight},
                "encoding": {"y": name, "text": {"field": field}},
            }
            for which, weight in (("!=", "normal"), ("==", "bold"))
            for field, align, x in (("name", "left", 0), ("label", "right", width))
        ),
    ]
    return f"Open receivables: {drawn.currency} {written(drawn.owed)}", told, rows, layers


def _as_is(field: str) -> dict[str, Any]:
    return {"field": field, "scale": None}


def _save_png(drawing: dict[str, Any], path: Path, description: str) -> None:
    """Save a drawing in true colours, not transparent; the description says what it shows."""
    png, text = vl_convert.vegalite_to_png(drawing, scale=2), PngInfo()
    text.add_itxt("Description", description)
    Image.open(BytesIO(png)).convert("RGB").save(path, optimize=True, pnginfo=text)


def _month(day: date) -> str:
    return f"{month_name[day.month]} {day.year}"
