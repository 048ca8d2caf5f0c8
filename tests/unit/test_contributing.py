"""The map in CONTRIBUTING.md, for whoever knows the SDK but not this code."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from singer_sdk.streams import RESTStream

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

from tap_visma_economic.streams import STREAMS

ROOT = Path(__file__).parent.parent.parent
MAP = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")


def section(title: str, level: int = 3) -> str:
    heading = "#" * level
    return MAP.split(f"\n{heading} {title}\n", 1)[1].split(f"\n{heading} ", 1)[0]


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


def test_the_map_lists_the_modules_in_the_order_of_their_layers() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    layers = project["tool"]["importlinter"]["contracts"][0]["layers"]
    height = {name: place for place, of in enumerate(layers) for name in of.split(" | ")}
    del height["__main__"]
    table = section("What is where", level=2).split("Beside the package")[0]
    rows = [row.split("|")[1] for row in table.splitlines() if row.startswith("| `")]
    listed = re.findall(r"`(\w+)(?:\.py|/)`", "\n".join(rows))
    assert sorted(listed) == sorted(height)
    assert listed == sorted(listed, key=height.__getitem__)


def test_no_stream_overrides_a_hook_of_the_sdk_that_is_never_called() -> None:
    rows = [row.split("|") for row in section("The SDK's hooks").splitlines() if "|" in row]
    unused = set().union(*(names(row[1]) for row in rows if "never called" in row[2]))
    assert {"post_process", "request_records"} <= unused
    for stream in STREAMS:
        ours = stream.__mro__[: stream.__mro__.index(RESTStream)]
        assert not unused & {name for kind in ours for name in vars(kind)}, stream.__name__
