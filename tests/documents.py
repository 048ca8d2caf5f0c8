"""The fenced blocks of the documents: what a reader copies, for the tests to try."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
DOCUMENTS = ("README.md", "CONTRIBUTING.md", "SECURITY.md")

_BLOCK = re.compile(r"^( *)```(\w*)(.*?)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
_TITLE = re.compile(r'title="(.+?)"')
_NAMED = re.compile(r"`([\w.-]+)`:\s*$")


@dataclass(frozen=True)
class Block:
    """One fenced block.

    Args:
        document: the file, below the repository.
        language: what stands behind the fence, such as `sh`.
        title: its title, or the file's name that the paragraph before ends with; may be empty.
        text: what it holds, without its indentation.
        section: the heading it stands below.
    """

    document: str
    language: str
    title: str
    text: str
    section: str

    @property
    def name(self) -> str:
        """What the lists of the tests know it by: the document and the first line."""
        return f"{self.document}: {self.text.strip().splitlines()[0]}"


def documents() -> list[str]:
    """The documents that may hold commands: README and the like, and the pages of the site."""
    pages = sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").rglob("*.md"))
    return [*(name for name in DOCUMENTS if (ROOT / name).exists()), *pages]


def blocks(document: str) -> list[Block]:
    """The blocks of a document, in their order."""
    text = (ROOT / document).read_text("utf-8")
    found = []
    for match in _BLOCK.finditer(text):
        indent, language, info, content = match.groups()
        lines = [line.removeprefix(indent) for line in content.splitlines()]
        before = text[: match.start()]
        title = _TITLE.search(info)
        named = _NAMED.search(before)
        headings = re.findall(r"^#+ (.+)$", _BLOCK.sub("", before), re.MULTILINE)
        found.append(
            Block(
                document,
                language,
                title[1] if title else named[1] if named else "",
                "\n".join(lines) + "\n",
                headings[-1] if headings else "",
            )
        )
    return found


def every_block(*languages: str) -> list[Block]:
    """The blocks of all documents in these languages."""
    return [b for name in documents() for b in blocks(name) if b.language in languages]
