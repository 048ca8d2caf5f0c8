"""The demo's picture: one HTML file with its own drawings; it needs neither net nor script."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from html import escape
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
STEPS = (1, 2, 5)
TICKS = 6

STYLE = """
:root { color-scheme: light dark; --paper: #fff; --ink: #1f2328; --quiet: #57606a;
  --line: #e3e7eb; --rule: #8c959f; }
@media (prefers-color-scheme: dark) {
  :root { --paper: #14181d; --ink: #e6edf3; --quiet: #9da7b1; --line: #2d343c; --rule: #6e7781; }
}
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 62rem; padding: 1.5rem 1rem 3rem; background: var(--paper);
  color: var(--ink); font: 16px/1.5 system-ui, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }
h1 { font-size: 1.6rem; line-height: 1.2; margin: 0 0 .3rem; }
h2 { font-size: 1.2rem; margin: 2.2rem 0 .2rem; }
p { margin: .2rem 0 .6rem; max-width: 46rem; }
.quiet { color: var(--quiet); font-size: .9rem; }
svg { display: block; width: 100%; height: auto; }
svg text { font-size: 13px; fill: var(--quiet); }
svg .year { font-weight: 600; fill: var(--ink); }
svg .value { font-size: 11px; fill: var(--ink); }
svg line { stroke: var(--line); }
svg .zero { stroke: var(--quiet); }
.narrow { display: none; }
.legend { display: flex; flex-wrap: wrap; gap: .2rem 1.2rem; font-size: .9rem; margin: .4rem 0; }
.legend i { display: inline-block; width: .9rem; height: .9rem; margin-right: .4rem;
  vertical-align: -2px; border-radius: 2px; }
.age { display: grid; grid-template: "name track amount" / 20rem 1fr 10rem; gap: 0 .8rem;
  align-items: center; margin: .5rem 0; }
.age :nth-child(1) { grid-area: name; }
.age :nth-child(2) { grid-area: track; }
.age .amount { grid-area: amount; }
.bar { height: 1.4rem; border-radius: 0 3px 3px 0; min-width: 1px; }
.amount { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.age.sum { font-weight: 600; border-top: 1px solid var(--rule); padding-top: .4rem; }
table { border-collapse: collapse; font-size: .9rem; }
td, th { padding: .15rem 1.5rem .15rem 0; text-align: left; border-bottom: 1px solid var(--line); }
th.amount { text-align: right; }
tr.sum td { font-weight: 600; border-top: 1px solid var(--rule); }
summary { cursor: pointer; margin-top: 1rem; }
@media (max-width: 600px) {
  .wide { display: none; }
  .narrow { display: block; }
  .age { grid-template: "name amount" "track track" / 1fr max-content; }
}
"""


def page(figures: Figures) -> str:
    """Return the picture as an HTML page."""
    unit = _unit(figures.currency)
    day = _day(figures.as_of)
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
<p class="quiet">Amounts are in {escape(_currency(figures.currency))}, written the Danish way:
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
    scale = _scale(months)
    span = f"{_name(months[0])} to {_name(months[-1])}"
    unfinished = "" if months[-1].ended else f"{_name(months[-1])} was not over and is fainter."
    rows = "".join(
        f'<tr><td>{_name(month)}</td><td class="amount">{danish(month.result)}</td></tr>\n'
        for month in months
    )
    return f"""<section>
<h2>Monthly result, in {_SCALES[scale]}&nbsp;{unit}</h2>
<p>Income less costs (<i lang="da">resultat</i>) of each month, {span}:
{danish(figures.result)}&nbsp;{unit} in all. {unfinished}</p>
<div class="legend"><span><i style="background:{PROFIT}"></i>Profit</span>
<span><i style="background:{LOSS}"></i>Loss</span></div>
{_Columns(months, 920, 320, scale).svg("wide")}
{_Columns(months[-9:], 360, 260, scale).svg("narrow")}
<p class="quiet narrow">The latest {len(months[-9:])} months; the others are in the table.</p>
<details><summary>The same as a table</summary>
<table class="results"><tr><th>Month</th><th class="amount">Result, {unit}</th></tr>
{rows}<tr class="sum"><td>In all</td><td class="amount">{danish(figures.result)}</td></tr></table>
</details>
</section>"""


def _receivables(figures: Figures, unit: str) -> str:
    largest = max((abs(amount) for amount in figures.receivables.values()), default=Decimal(0))
    colours = dict(zip((name for name, _, _ in AGES), AGE_COLOURS, strict=True))
    rows = []
    for name, amount in figures.receivables.items():
        width = 100 * abs(amount) / largest if largest else Decimal(0)
        colour = colours.get(name, DEDUCTED_COLOUR)
        bar = f'<div class="bar" style="width:{width:.2f}%;background:{colour}"></div>'
        rows.append(
            f'<div class="age"><span>{name}</span><div>{bar if amount else ""}</div>'
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


@dataclass(frozen=True)
class _Columns:
    """A column per month, in a drawing of this width and height."""

    months: list[Month]
    width: int
    height: int
    scale: int
    left: int = 62
    top: int = 20
    bottom: int = 52

    def svg(self, kind: str) -> str:
        parts = [*self._grid(), *self._columns(), *self._names()]
        return (
            f'<svg class="{kind}" viewBox="0 0 {self.width} {self.height}" role="img" '
            'aria-label="Columns: the result of each month">\n' + "\n".join(parts) + "\n</svg>"
        )

    @property
    def _ticks(self) -> list[int]:
        """Round amounts that hold all columns between them."""
        results = [month.result for month in self.months]
        low, high = min(*results, Decimal(0)), max(*results, Decimal(0))
        step = _step(high - low)
        first = int((low / step).to_integral_value(ROUND_FLOOR))
        last = int((high / step).to_integral_value(ROUND_CEILING))
        return [number * step for number in range(first, max(last, first + 1) + 1)]

    @property
    def _decimals(self) -> int:
        """How many decimals tell columns apart: none where they go into the hundreds."""
        return 0 if max(abs(tick) for tick in self._ticks) >= 50 * self.scale else 1

    def _y(self, amount: Decimal) -> float:
        ticks = self._ticks
        share = (amount - ticks[0]) / (ticks[-1] - ticks[0])
        return self.height - self.bottom - float(share) * (self.height - self.top - self.bottom)

    def _x(self, index: int) -> float:
        return self.left + index * (self.width - self.left) / len(self.months)

    def _grid(self) -> list[str]:
        parts = []
        for tick in self._ticks:
            y = self._y(Decimal(tick))
            kind = ' class="zero"' if tick == 0 else ""
            parts.append(
                f'<line{kind} x1="{self.left}" x2="{self.width}" y1="{y:.2f}" y2="{y:.2f}"/>'
                f'<text x="{self.left - 8}" y="{y + 4:.2f}" text-anchor="end">'
                f"{_exactly(tick, self.scale)}</text>"
            )
        return parts

    def _columns(self) -> list[str]:
        parts = []
        zero, room = self._y(Decimal(0)), self._x(1) - self._x(0)
        for index, month in enumerate(self.months):
            y = self._y(month.result)
            colour = PROFIT if month.result >= 0 else LOSS
            parts.append(
                f'<rect data-month="{month.start:%Y-%m}" x="{self._x(index) + room * 0.15:.2f}" '
                f'width="{room * 0.7:.2f}" y="{min(y, zero):.2f}" height="{abs(zero - y):.2f}" '
                f'fill="{colour}" fill-opacity="{1 if month.ended else 0.45}">'
                f"<title>{_name(month)}: {danish(month.result)}</title></rect>"
                f'<text class="value" x="{self._x(index) + room / 2:.2f}" '
                f'y="{y - 5 if month.result >= 0 else y + 13:.2f}" text-anchor="middle">'
                f"{danish(month.result / self.scale, self._decimals)}</text>"
            )
        return parts

    def _names(self) -> list[str]:
        parts = []
        for index, month in enumerate(self.months):
            x = (self._x(index) + self._x(index + 1)) / 2
            y = self.height - self.bottom + 27
            parts.append(
                f'<text x="{x:.2f}" y="{y}" text-anchor="middle">{_month(month.start)}</text>'
            )
            if index == 0 or month.start.month == 1:
                parts.append(
                    f'<text class="year" x="{x:.2f}" y="{y + 18}" text-anchor="middle">'
                    f"{month.start.year}</text>"
                )
        return parts


def _step(span: Decimal) -> int:
    """Return 1, 2 or 5 times a power of ten, so that a span takes a handful of steps."""
    power = 1
    while True:
        for step in STEPS:
            if span <= step * power * TICKS:
                return step * power
        power *= 10


def _scale(months: list[Month]) -> int:
    """Return in what the drawing counts, so that its figures stay short."""
    largest = max(abs(month.result) for month in months)
    thousand, million = _SCALES
    return million if largest >= 10 * million else thousand


def _exactly(amount: int, scale: int) -> str:
    counted = Decimal(amount) / scale
    return danish(counted, 0 if counted == int(counted) else 3)


def _unit(currency: str) -> str:
    return "kr." if currency == "DKK" else escape(currency)


def _currency(currency: str) -> str:
    return "Danish kroner (DKK)" if currency == "DKK" else currency


def _day(day: date) -> str:
    return f"{day.day} {_MONTHS[day.month - 1]} {day.year}"


def _name(month: Month) -> str:
    return f"{_MONTHS[month.start.month - 1]} {month.start.year}"


def _month(day: date) -> str:
    return _MONTHS[day.month - 1][:3]


_MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)
