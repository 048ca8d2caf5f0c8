"""The three that are measured, as command lines: the tap, the stock tap, the bare loop."""

from __future__ import annotations

import json
import subprocess
import sys
from functools import cached_property
from typing import TYPE_CHECKING, Any

from bench.measure import ROOT

if TYPE_CHECKING:
    from pathlib import Path

CONCURRENCY = 4
"""What the tap's setting of this name is set to, which is also its default."""

TAP, STOCK, LOOP = "tap", "stock", "loop"
NAMES = {TAP: "this tap", STOCK: "stock SDK classes", LOOP: "bare loop"}
_MODULES = {TAP: "tap_visma_economic", STOCK: "bench.stock", LOOP: "bench.loop"}


def module(contender: str) -> list[str]:
    """Return the command that runs a contender, without arguments."""
    return [sys.executable, "-m", _MODULES[contender]]


class Contenders:
    """The command lines for the server at `url`, settings and catalogs in `folder`."""

    def __init__(self, url: str, folder: Path) -> None:
        self._url = url
        self._folder = folder

    def command(self, contender: str, *streams: str) -> list[str]:
        """Return what reads these streams, and nothing else."""
        if contender == LOOP:
            return [*module(LOOP), self._url, *streams]
        entries = [self._entry(stream) for stream in streams]
        if contender == STOCK:
            settings = {"url": self._url, "schema": entries[0]["schema"]}
            return [*module(STOCK), "--config", self._file("stock", settings)]
        return [*self.whole_run(), "--catalog", self._file("catalog", {"streams": entries})]

    def whole_run(self) -> list[str]:
        """Return what reads all of the tap's default streams."""
        tokens = {"app_secret_token": "demo", "agreement_grant_token": "demo"}
        urls = {"rest_url": self._url, "openapi_url": self._url}
        same = {"absent_columns": "omit"}  # as the others do, so that all write the same
        config = self._file("tap", {**urls, **tokens, **same, "concurrency": CONCURRENCY})
        return [*module(TAP), "--config", config]

    def _file(self, name: str, content: Any) -> str:
        path = self._folder / f"{name}.json"
        path.write_text(json.dumps(content), encoding="utf-8")
        return str(path)

    def _entry(self, stream: str) -> Any:
        """Return a stream's entry of the tap's catalog, selected."""
        entry = next(each for each in self._catalog if each["tap_stream_id"] == stream)
        root = next(each for each in entry["metadata"] if each["breadcrumb"] == [])
        root["metadata"]["selected"] = True
        return entry

    @cached_property
    def _catalog(self) -> Any:
        command = [*self.whole_run(), "--discover"]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, check=True)  # noqa: S603
        return json.loads(done.stdout)["streams"]
