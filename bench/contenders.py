"""The three that are measured, as command lines: the tap, the stock tap, the bare loop."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from bench.books import AGREEMENT

ROOT = Path(__file__).parent.parent
CONCURRENCY = 4
PARALLEL_AGREEMENTS = 4
"""What the tap's settings of these names are set to, which is also their default."""

TAP = "tap"
STOCK = "stock"
LOOP = "loop"
UNTOUCHED = "untouched"

NAMES = {
    TAP: "this tap",
    STOCK: "stock SDK classes",
    LOOP: "bare loop",
    UNTOUCHED: "bare loop, rows untouched",
}

_TAP = (sys.executable, "-m", "tap_visma_economic")
_STOCK = (sys.executable, "-m", "bench.stock")
_LOOP = (sys.executable, "-m", "bench.ceiling")
_TOKENS = {"app_secret_token": "demo", "agreement_grant_token": "demo"}


class Contenders:
    """The command lines for one server.

    Args:
        url: the server.
        folder: where settings and catalogs are kept.
    """

    def __init__(self, url: str, folder: Path) -> None:
        self._url = url
        self._folder = folder

    def command(self, contender: str, stream: str, rows: int, latency: float) -> list[str]:
        """Return what reads one stream of a company with so many rows, and nothing else."""
        if contender == TAP:
            return self._with_catalog(_TAP, stream, tap_settings(self._url, "demo"))
        if contender == STOCK:
            settings = {"url": self._url, "agreement_number": AGREEMENT, **_TOKENS}
            return self._with_catalog(_STOCK, stream, settings)
        line = [*_LOOP, self._url, stream, "--rows", str(rows)]
        if latency:
            line += ["--concurrency", str(CONCURRENCY)]
        return [*line, "--untouched"] if contender == UNTOUCHED else line

    def _with_catalog(self, tap: tuple[str, ...], stream: str, settings: Any) -> list[str]:
        config = self._folder / f"{tap[-1]}.json"
        catalog = self._folder / f"{tap[-1]}.{stream}.json"
        if not catalog.exists():
            config.write_text(json.dumps(settings))
            catalog.write_text(json.dumps(_selected([*tap, "--config", str(config)], stream)))
        return [*tap, "--config", str(config), "--catalog", str(catalog)]


def whole_run(url: str, folder: Path, *grants: str) -> list[str]:
    """Return what reads all default streams of these companies."""
    config = folder / "whole.json"
    config.write_text(json.dumps(tap_settings(url, *grants)))
    return [*_TAP, "--config", str(config)]


def tap_settings(url: str, *grants: str) -> dict[str, Any]:
    """Return the tap's settings to read these companies from a server."""
    return {
        "rest_url": url,
        "openapi_url": url,
        "app_secret_token": "demo",
        "agreements": [{"agreement_grant_token": grant} for grant in grants],
        "concurrency": CONCURRENCY,
        "parallel_agreements": PARALLEL_AGREEMENTS,
        "absent_columns": "omit",  # as the others do, so that all write the same
    }


def _selected(tap: list[str], stream: str) -> Any:
    """Return a tap's catalog with one stream selected."""
    done = subprocess.run(  # noqa: S603  the commands are the bench's own
        [*tap, "--discover"], cwd=ROOT, capture_output=True, check=True
    )
    catalog = json.loads(done.stdout)
    for entry in catalog["streams"]:
        root = next(m["metadata"] for m in entry["metadata"] if m["breadcrumb"] == [])
        root["selected"] = entry["tap_stream_id"] == stream
    return catalog
