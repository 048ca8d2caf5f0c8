"""The values a row is made of, shared by the books (data) and the server (rendering).

A row is one body as e-conomic would hold it: documented names and nesting, every boolean spelled
out, and nothing formatted yet. Money and rates are ``decimal.Decimal``, civil dates
``datetime.date``, instants timezone-aware ``datetime.datetime`` in UTC, links ``Link``; everything
else is a plain str, int, bool, list or dict. ``None`` means that there is no value.
"""

from __future__ import annotations

Row = dict[str, object]


class Link(str):
    """A path such as ``/customers/1``; the server puts its own base URL in front of it.

    A value that is part of the path is already written the way e-conomic writes it in links
    (``path_part``). A link that starts with ``http`` leads outside the API and stays as it is.
    """

    __slots__ = ()


class Raw(str):
    """JSON text that is served as it stands, for what no document tells of: an explicit null."""

    __slots__ = ()


# The characters that e-conomic replaces by a numbered escape in the paths of its links.
_ESCAPES = {character: f"_{number}_" for number, character in enumerate(r"<>*%:&/\_ ?.#+")}
_SAFE = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-~!$'(),;=@")


def path_part(value: str | int) -> str:
    """Write a key as a path segment of a link: ``DK_AL`` -> ``DK_8_AL``, ``"`` -> ``%22``."""
    if isinstance(value, int):
        return str(value)
    return "".join(
        _ESCAPES.get(c) or (c if c in _SAFE else "".join(f"%{b:02X}" for b in c.encode()))
        for c in value
    )


def decode_path_part(segment: str) -> str:
    """Read back what ``path_part`` wrote, once percent-escapes have been decoded.

    ``DK_8_AL`` -> ``DK_AL``; an underscore that begins no numbered escape stands for itself.
    """
    out: list[str] = []
    i = 0
    while i < len(segment):
        end = segment.find("_", i + 1) if segment[i] == "_" else -1
        character = _CHARACTERS.get(segment[i : end + 1]) if end > i else None
        out.append(segment[i] if character is None else character)
        i = i + 1 if character is None else end + 1
    return "".join(out)


_CHARACTERS = {escape: character for character, escape in _ESCAPES.items()}
