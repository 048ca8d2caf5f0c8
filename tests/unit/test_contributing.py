"""The map in CONTRIBUTING.md, for whoever knows the SDK but not this code."""

from __future__ import annotations

import re
from pathlib import Path

from singer_sdk.streams import RESTStream

from tap_visma_economic.streams import STREAMS

ROOT = Path(__file__).parent.parent.parent
MAP = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")


def section(title: str) -> str:
    return MAP.split(f"### {title}\n", 1)[1].split("\n#", 1)[0]


def names(text: str) -> set[str]:
    """The last part of each dotted name in backticks, files and streams apart."""
    found = re.findall(r"`([A-Za-z_.]+)(?:\(\))?`", text)
    streams = {vars(stream)["name"] for stream in STREAMS}
    return {name.rpartition(".")[2] for name in found if not name.endswith(".py")} - streams


def test_the_map_of_the_data_names_only_what_exists() -> None:
    package = (ROOT / "tap_visma_economic").rglob("*.py")
    source = "\n".join(path.read_text(encoding="utf-8") for path in package)
    missing = {
        name
        for name in names(section("How the data flows, in ten lines")) - {"sync_all"}
        if not re.search(rf"(def|class) {name}\b|\b{name}: ", source)
        and f"self.{name} = " not in source
    }
    assert not missing


def test_no_stream_overrides_a_hook_of_the_sdk_that_is_never_called() -> None:
    rows = [row.split("|") for row in section("The SDK's hooks").splitlines() if "|" in row]
    unused = set().union(*(names(row[1]) for row in rows if "never called" in row[2]))
    assert {"post_process", "request_records"} <= unused
    for stream in STREAMS:
        ours = stream.__mro__[: stream.__mro__.index(RESTStream)]
        assert not unused & {name for kind in ours for name in vars(kind)}, stream.__name__
