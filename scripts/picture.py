"""The demo's picture: one HTML file with its own drawings; it needs neither net nor script."""

from __future__ import annotations

from calendar import month_abbr, month_name
from decimal import Decimal
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from scripts.figures import AGES

if TYPE_CHECKING:
    from datetime import date

    from scripts.figures import Figures, Month

PROFIT, LOSS = "#2b6cb0", "#c2552d"
AGE_COLOURS = ("#2b6cb0", "#f0c48a", "#e6a05a", "#d67c36", "#b5501c")
DEDUCTED_COLOUR = "#8b929a"
MINUS = "\N{MINUS SIGN}"
_SCALES = {1000: "thousand", 1_000_000: "million"}
TOP, BOTTOM = 20, 62

STYLE = Path(__file__).with_name("picture.css").read_text(encoding="utf-8")


def page(figures: Figures) -> str:
    """Return the picture as an HTML page."""
    day, krone = _day(figures.as_of), figures.currency == "DKK"
    unit, currency = ("kr.", "Danish kroner (DKK)") if krone else [escape(figures.currency)] * 2
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(figures.company)}: monthly result and open receivables</title>
<style>{STYLE}</style>
</head>
<body>
<h1>{escape(figures.company)}: monthly result and open receivables</h1>
<p>As of {day}, the day of the latest entry in the books. Agreement (<i lang="da">aftale</i>)
{figures.agreement}.</p>
<p class="quiet">Amounts are in {currency}, written the Danish way:
1.234,50 is one thousand two hundred thirty-four and a half.</p>
{_results(figures, unit)}
{_receivables(figures, unit)}
</body>
</html>
"""


def danish(amount: Decimal, decimals: int = 2) -> str:
    """Return an amount as it is written in Denmark: 1234.5 becomes 1.234,50."""
    text = f"{abs(amount):,.{decimals}f}".translate(str.maketrans(",.", ".,"))
    return f"{MINUS}{text}" if amount < 0 else text


def _results(figures: Figures, unit: str) -> str:
    months = figures.months
    span = f"{_name(months[0])} to {_name(months[-1])}"
    unfinished = "" if months[-1].ended else f"{_name(months[-1])} was not over and is fainter."
    rows = "".join(
        f'<tr><td>{_name(month)}</td><td class="amount">{danish(month.result)}</td></tr>\n'
        for month in months
    )
    return f"""<section>
<h2>Monthly result, in {_SCALES[_scale(months)]}&nbsp;{unit}</h2>
<p>Income less costs (<i lang="da">resultat</i>) of each month, {span}:
{danish(figures.result)}&nbsp;{unit} in all. {unfinished}</p>
<div class="legend"><span><i style="background:{PROFIT}"></i>Profit</span>
<span><i style="background:{LOSS}"></i>Loss</span></div>
{_columns(months, 920, 320, "wide")}
{_columns(months[-9:], 360, 260, "narrow")}
<p class="quiet narrow">The latest {len(months[-9:])} months; the others are in the table.</p>
<details><summary>The same as a table</summary>
<table class="results"><tr><th>Month</th><th class="amount">Result, {unit}</th></tr>
{rows}<tr class="sum"><td>In all</td><td class="amount">{danish(figures.result)}</td></tr></table>
</details>
</section>"""


def _receivables(figures: Figures, unit: str) -> str:
    largest = max((abs(amount) for amount in figures.receivables.values()), default=Decimal(0))
    colours = dict(zip(AGES, AGE_COLOURS, strict=True))
    rows = []
    for name, amount in figures.receivables.items():
        width = 100 * abs(amount) / (largest or 1)
        style = f"width:{width:.2f}%;background:{colours.get(name, DEDUCTED_COLOUR)}"
        bar = f'<div class="bar" style="{style}"></div>' if amount else ""
        rows.append(
            f'<div class="age"><span>{name}</span><div>{bar}</div>'
            f'<span class="amount">{danish(amount)}&nbsp;{unit}</span></div>\n'
        )
    return f"""<section>
<h2>Open receivables: {danish(figures.owed)}&nbsp;{unit}</h2>
<p>What customers (<i lang="da">debitorer</i>) owe, by how late they are on {_day(figures.as_of)}:
what remains of {figures.items} entries.
<strong>{danish(figures.late)}&nbsp;{unit} is late.</strong>
The deeper the orange, the later. What has come in and is not yet set off against an invoice is grey
and deducted.</p>
{"".join(rows)}<div class="age sum"><span>In all</span><div></div>\
<span class="amount">{danish(figures.owed)}&nbsp;{unit}</span></div>
</section>"""


def _columns(months: list[Month], width: int, height: int, kind: str) -> str:
    """Return a drawing of a column per month; `kind` is the class of screens it is for."""
    scale, room = _scale(months), Decimal(width) / len(months)
    low, high = (pick(*(month.result for month in months), Decimal(0)) for pick in (min, max))
    decimals = 0 if max(high, -low) >= 50 * scale else 1
    krone = (height - TOP - BOTTOM) / (high - low or Decimal(1))
    zero = TOP + high * krone
    parts = [f'<line class="zero" x1="0" x2="{width}" y1="{zero:.2f}" y2="{zero:.2f}"/>']
    for index, month in enumerate(months):
        loss = month.result < 0
        y, x = zero - month.result * krone, (index + Decimal("0.5")) * room
        parts.append(
            f'<rect data-month="{month.start:%Y-%m}" x="{x - room * Decimal("0.35"):.2f}" '
            f'width="{room * Decimal("0.7"):.2f}" y="{min(y, zero):.2f}" '
            f'height="{abs(zero - y):.2f}" fill="{LOSS if loss else PROFIT}" '
            f'fill-opacity="{1 if month.ended else 0.45}">'
            f"<title>{_name(month)}: {danish(month.result)}</title></rect>"
        )
        texts = [("value", y + (13 if loss else -5), danish(month.result / scale, decimals))]
        texts.append(("", Decimal(height - 25), month_abbr[month.start.month]))
        if index == 0 or month.start.month == 1:
            texts.append(("year", Decimal(height - 7), str(month.start.year)))
        parts += [
            f'<text class="{kind}" x="{x:.2f}" y="{y:.2f}" text-anchor="middle">{text}</text>'
            for kind, y, text in texts
        ]
    return (
        f'<svg class="{kind}" viewBox="0 0 {width} {height}" role="img" '
        'aria-label="Columns: the result of each month">\n' + "\n".join(parts) + "\n</svg>"
    )


def _scale(months: list[Month]) -> int:
    """Return the unit of the drawing's figures, so that they stay short."""
    thousand, million = _SCALES
    largest = max(abs(month.result) for month in months)
    return million if largest >= 10 * million else thousand


def _day(day: date) -> str:
    return f"{day.day} {month_name[day.month]} {day.year}"


def _name(month: Month) -> str:
    return f"{month_name[month.start.month]} {month.start.year}"
