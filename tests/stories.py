"""What a reader does with a document, from top to bottom: one shell script in an empty folder."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.conftest import clean_environment
from tests.documents import ROOT, blocks

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from tests.documents import Block
    from tests.sandbox.server import Sandbox

SHELL = {"sh", "bash"}
GRANTS = ("demo", "demo-2", "demo-3")
_NOT_COPIED = shutil.ignore_patterns(
    *(".git", ".venv*", ".meltano", ".*_cache", ".hypothesis"),
    *("build", "dist", "output", "__pycache__"),
)


@dataclass(frozen=True)
class Story:
    """Blocks that belong together.

    Args:
        document: where they stand.
        sections: below which headings; none named means the whole document.
        starts: a block's first words, where a story is less than its sections.
        copy: the name of a copy of the repository that the reader has, which may be `.`.
    """

    document: str
    sections: tuple[str, ...] = ()
    starts: tuple[str, ...] = ()
    copy: str = ""

    @property
    def blocks(self) -> list[Block]:
        """Its blocks: commands, and files that the reader makes."""
        return [
            block
            for block in blocks(self.document)
            if (not self.sections or block.section in self.sections)
            and (not self.starts or block.text.startswith(self.starts))
            and (block.language in SHELL or (block.title and block.language in {"json", "python"}))
        ]


class Reader:
    """Somebody with a shell in an empty folder.

    Args:
        folder: the folder.
        programs: a folder of programs that are installed.
        sandbox: what stands in for e-conomic.
    """

    def __init__(self, folder: Path, programs: Path, sandbox: Sandbox) -> None:
        self.folder = folder
        self._sandbox = sandbox
        kept = {
            name: value
            for name, value in clean_environment().items()
            if not name.startswith(("MELTANO_", "TARGET_", "VIRTUAL_ENV", "PIPX_", "UV_TOOL"))
        }
        self.environment = {
            **kept,
            "PATH": f"{programs}{os.pathsep}{kept['PATH']}",
            "HOME": str(folder),
            "MELTANO_HUB_API_ROOT": "http://127.0.0.1:9",
            "TAP_VISMA_ECONOMIC_REST_URL": sandbox.url,
            "TAP_VISMA_ECONOMIC_OPENAPI_URL": sandbox.url,
            **_caches(),
        }

    def follow(self, story: Story, but: Iterable[str] = ()) -> str:
        """Do what a story says, all but the blocks named; return what was printed.

        Raises:
            AssertionError: a command failed.
        """
        if story.copy:
            target = self.folder / story.copy
            shutil.copytree(ROOT, target, ignore=_NOT_COPIED, dirs_exist_ok=True)
        script = "".join(self._part(block) for block in story.blocks if block.name not in but)
        return self.shell(script)

    def shell(self, script: str) -> str:
        """Run a script that must succeed."""
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        assert done.returncode == 0, f"{script}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
        return done.stdout

    def _part(self, block: Block) -> str:
        if block.title and block.language in {"json", "python", "bash"}:
            text = self._filled_in(block.text) if block.language == "json" else block.text
            return f"printf '%s' {shlex.quote(text)} > {block.title}\n"
        return block.text

    def _filled_in(self, text: str) -> str:
        """A settings file with the sandbox's tokens in place of the dots, and its address."""
        tokens = iter(GRANTS)
        text = re.sub(
            r'("agreement_grant_token": )"\.\.\."', lambda m: f'{m[1]}"{next(tokens)}"', text
        )
        settings = json.loads(text)
        if "app_secret_token" in settings:
            settings["app_secret_token"] = self._sandbox.app_secret
            settings["rest_url"] = settings["openapi_url"] = self._sandbox.url
        return json.dumps(settings)


def _caches() -> dict[str, str]:
    """Where package managers keep what they have downloaded, in spite of the other HOME."""
    home = os.environ.get("HOME", "/")
    return {
        "UV_CACHE_DIR": os.environ.get("UV_CACHE_DIR", f"{home}/.cache/uv"),
        "PIP_CACHE_DIR": os.environ.get("PIP_CACHE_DIR", f"{home}/.cache/pip"),
    }
