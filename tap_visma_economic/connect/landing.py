"""The page that the browser ends on: one self-contained file, without a token in it."""

from __future__ import annotations

from html import escape

HEADERS = {
    "Content-Type": "text/html; charset=utf-8",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'unsafe-inline'; img-src data:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
}
"""Nothing is kept, nothing is loaded, nothing learns where the browser was."""

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<link rel="icon" href="data:,">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; --ink: #1d2b36; --soft: #53646f; --ground: #f3f5f6;
  --card: #fff; --line: #dde3e7; --mark: {mark}; }}
@media (prefers-color-scheme: dark) {{ :root {{ --ink: #eef2f4; --soft: #a9b7c0; --ground: #12191e;
  --card: #1b252c; --line: #2d3a43; --mark: {mark_dark}; }} }}
* {{ box-sizing: border-box; }}
body {{ margin: 0; min-height: 100vh; display: grid; place-items: center; padding: 1.25rem;
  background: var(--ground); color: var(--ink);
  font: 1rem/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif; }}
main {{ width: 100%; max-width: 32rem; background: var(--card); border: 1px solid var(--line);
  border-top: .3rem solid var(--mark); border-radius: .5rem; padding: 1.75rem 2rem 1.5rem; }}
h1 {{ margin: 0 0 .75rem; font-size: 1.4rem; line-height: 1.25; overflow-wrap: anywhere; }}
p {{ margin: 0 0 .75rem; overflow-wrap: anywhere; }}
footer {{ margin-top: 1.25rem; padding-top: .75rem; border-top: 1px solid var(--line);
  color: var(--soft); font-size: .85rem; }}
@media (max-width: 30rem) {{ main {{ padding: 1.25rem; }} }}
</style>
</head>
<body>
<main>
<h1>{title}</h1>
{body}
<footer>tap-visma-economic-connect, on this computer</footer>
</main>
</body>
</html>
"""

_GOOD, _BAD = ("#1f7a4d", "#4cc38a"), ("#b3541e", "#f0a878")


def page(title: str, *paragraphs: str, good: bool = False) -> str:
    """Return a page with a heading and some paragraphs of plain text."""
    mark, mark_dark = _GOOD if good else _BAD
    body = "\n".join(f"<p>{escape(text)}</p>" for text in paragraphs)
    return _PAGE.format(title=escape(title), body=body, mark=mark, mark_dark=mark_dark)


def connected(company: str) -> str:
    """Return the page for a company whose grant is stored."""
    return page(
        f"{company} is connected",
        "The access was checked and stored on this computer.",
        "You can close this page and go back to the terminal.",
        good=True,
    )


def failed(why: str) -> str:
    """Return the page for a grant that cannot be used, or was not given."""
    return page("Not connected", f"{why}.", "The terminal is where it goes on.")


UNKNOWN = page(
    "There is nothing here",
    "This address belongs to a program that waits for e-conomic. Go back to e-conomic's page and "
    "finish there, or start again from the terminal.",
)
USED = page("This address was used already", "It works once. See the terminal for how it went.")
OPEN = page("Almost there", "The access is still being checked. See the terminal for how it went.")
