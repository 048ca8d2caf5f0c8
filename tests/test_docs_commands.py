"""Every command of README and the documentation, run as a reader would: in an empty folder.

What cannot be run here is named, each with its reason, and the list is complete: a new command in a
document belongs to a story or to that list.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pytest
import yaml

from tests.conftest import made_once, settings_for
from tests.documents import ROOT, every_block
from tests.recipes import CHECKS
from tests.sandbox.server import Sandbox
from tests.sandbox.standard import standard_grants
from tests.stories import SHELL, Reader, Story
from tests.test_discovery import DEFAULT
from tests.test_records_arrive import truth

if TYPE_CHECKING:
    from collections.abc import Iterator

COMPANIES = Story("docs/recipes/companies.md", ("All in the same tables",))
CRON = Story("docs/running/cron.md")
ENVIRONMENT = Story("docs/running/environment.md", ("Environment",))
FRESH = Story("docs/recipes/every-few-minutes.md")
ONE_YEAR = Story("docs/recipes/one-year.md")
PANDIUM = Story("docs/running/environment.md", ("Pandium",))
README = Story("README.md", ("Quick start",), starts=("python3 -m venv venv",), copy=".")
INSTALL = Story("docs/without-meltano.md", ("Install",), copy=".")
BY_HAND = Story("docs/without-meltano.md", ("See what it reads",), copy=".")
PIPE = Story("docs/without-meltano.md", ("Into a target",))
PIPX = Story("docs/without-meltano.md", ("Into a target",), starts=("pipx install .",), copy=".")
QUICK_START = Story(
    "docs/quickstart.md",
    ("1. A project", "2. The tap and a target", "3. Tokens", "4. Run", "5. Fewer tables"),
    copy="tap-visma-economic",
)
ACCESS = Story("docs/access.md")
DUCKDB = Story("docs/loading/duckdb.md", ("With target-duckdb",))
DUCKDB_VIEWS = Story("docs/loading/duckdb.md", ("From JSON files",))

STORIES = (
    ACCESS, BY_HAND, COMPANIES, CRON, DUCKDB, DUCKDB_VIEWS, ENVIRONMENT, FRESH, INSTALL, ONE_YEAR,
    PANDIUM, PIPE, PIPX, QUICK_START, README,
)  # fmt: skip

NOT_RUN: dict[str, str] = yaml.safe_load((ROOT / "tests/commands_not_run.yml").read_text("utf-8"))
"""Commands that no story runs, and why."""

COMPILED = {"economic_dag.py", "economic_definitions.py"}
"""Python that is compiled here; tests/pipelines/test_engines.py runs it."""


def uv(*arguments: str) -> None:
    """Run uv, which Meltano brings along."""
    command = [str(Path(sys.executable).with_name("uv")), *arguments]
    subprocess.run(command, check=True, capture_output=True, timeout=600)


@pytest.fixture(scope="session")
def programs(tmp_path_factory: pytest.TempPathFactory, built_wheel: Path) -> Path:
    """The tap, from its wheel, and target-jsonl, each with an environment of its own."""

    def install(folder: Path) -> None:
        (folder / "bin").mkdir()
        for package, names in {
            str(built_wheel): ("tap-visma-economic", "tap-visma-economic-connect"),
            "target-jsonl==0.1.4": ("target-jsonl",),
        }.items():
            environment = folder / names[0]
            uv("venv", "--quiet", f"--python={sys.executable}", str(environment))
            uv("pip", "install", "--quiet", f"--python={environment}/bin/python", package)
            for name in names:
                (folder / "bin" / name).symlink_to(environment / "bin" / name)

    return made_once(tmp_path_factory, "programs", install) / "bin"


@pytest.fixture
def own_sandbox() -> Iterator[Sandbox]:
    """A sandbox whose calls can be counted."""
    with Sandbox(standard_grants("small")) as running:
        yield running


@pytest.fixture
def reader(tmp_path: Path, programs: Path, own_sandbox: Sandbox) -> Reader:
    """A reader with an empty folder."""
    return Reader(tmp_path, programs, own_sandbox)


def rows_of(file: Path) -> Counter[str]:
    """How many rows of each stream of e-conomic a file of messages holds."""
    messages = map(json.loads, file.read_text("utf-8").splitlines())
    streams = [m["stream"] for m in messages if m["type"] == "RECORD"]
    return Counter(stream for stream in streams if stream != "sync_runs")


def held(sandbox: Sandbox, *grants: str) -> Counter[str]:
    """How many rows of each default stream the companies hold."""
    return Counter(
        {
            stream: sum(len(truth(sandbox.grants[grant].company, stream)) for grant in grants)
            for stream in DEFAULT
        }
    )


def files_in(folder: Path) -> Counter[str]:
    """How many rows of each stream of e-conomic lie in a folder, one file per stream."""
    files = [path for path in folder.glob("*.jsonl") if path.stem != "sync_runs"]
    return Counter({path.stem: len(path.read_bytes().splitlines()) for path in files})


def test_every_command_is_run_or_named_with_its_reason() -> None:
    run = {block.name for story in STORIES for block in story.blocks if block.language in SHELL}
    commands = {block.name for block in every_block(*SHELL)}
    assert commands - run == set(NOT_RUN)
    assert not run & set(NOT_RUN)
    assert all(len(reason) > 10 for reason in NOT_RUN.values())


def test_reasons_name_files_that_are_there() -> None:
    named = re.findall(r"tests/[\w/]+\.py", " ".join(NOT_RUN.values()))
    assert [path for path in named if not (ROOT / path).exists()] == []


@pytest.mark.parametrize("block", every_block("python"), ids=lambda block: block.name)
def test_python_compiles(block: Any) -> None:
    compile(block.text, block.title or block.name, "exec")
    used = {b.title for story in STORIES for b in story.blocks if b.language == "python"}
    assert block.title in used | COMPILED | {""}


def test_the_example_of_a_stream_is_the_one_in_the_code() -> None:
    (example,) = [b for b in every_block("python") if b.document == "CONTRIBUTING.md"]
    assert example.text in (ROOT / "tap_visma_economic/streams/customers.py").read_text("utf-8")


@pytest.mark.parametrize("block", every_block("yaml", "json"), ids=lambda block: block.name)
def test_settings_can_be_parsed(block: Any) -> None:
    parsed = (yaml.safe_load if block.language == "yaml" else json.loads)(block.text)
    assert parsed


@pytest.mark.parametrize(
    "block",
    [b for b in every_block("yaml") if b.title.startswith("meltano.yml")],
    ids=lambda block: block.document,
)
def test_what_a_page_puts_into_meltano_yml_is_a_plugin_of_known_settings(block: Any) -> None:
    plugins = yaml.safe_load(block.text).get("plugins", {})
    for plugin in (p for kind in plugins.values() for p in kind if "pip_url" in p):
        known = {setting["name"] for setting in plugin["settings"]}
        assert {"name", "namespace", "executable"} <= set(plugin)
        assert set(plugin.get("config", {})) <= known


def test_environment(reader: Reader, own_sandbox: Sandbox) -> None:
    reader.follow(ENVIRONMENT)
    rows, all_rows = rows_of(reader.folder / "messages.jsonl"), held(own_sandbox, "demo")
    assert set(rows) == set(all_rows)
    assert 0 < rows["booked_entries"] < all_rows["booked_entries"]  # start_date is in it


def test_pandium(reader: Reader, own_sandbox: Sandbox) -> None:
    """Pandium's names alone say who reads what; its third one is where the REST API is."""
    del reader.environment["TAP_VISMA_ECONOMIC_REST_URL"]
    reader.environment["PAN_SEC_VISMA_TENANT_URL"] = own_sandbox.url
    reader.follow(PANDIUM)
    assert rows_of(reader.folder / "messages.jsonl") == held(own_sandbox, "demo")


def test_cron(reader: Reader, own_sandbox: Sandbox) -> None:
    """A second run reads what is new; none runs beside another; one that fails keeps the state."""
    reader.follow(CRON)
    first = files_in(reader.folder / "output")
    assert first == held(own_sandbox, "demo")
    reader.shell("./economic.sh")
    more = files_in(reader.folder / "output")["booked_entries"] - first["booked_entries"]
    assert 0 < more < first["booked_entries"]
    with pytest.raises(AssertionError, match="still going"):
        reader.shell("exec 8> lock; flock 8; ./economic.sh")
    before = json.loads((reader.folder / "state.json").read_text())
    own_sandbox.grants.clear()
    with pytest.raises(AssertionError, match="rejected the tokens"):
        reader.shell("./economic.sh")
    assert json.loads((reader.folder / "state.json").read_text()).keys() == before.keys()


def test_many_companies(reader: Reader, own_sandbox: Sandbox) -> None:
    reader.follow(COMPANIES)
    assert rows_of(reader.folder / "messages.jsonl") == held(own_sandbox, "demo", "demo-2")


def test_only_last_year(reader: Reader, own_sandbox: Sandbox) -> None:
    reader.follow(ONE_YEAR)
    rows = rows_of(reader.folder / "messages.jsonl")
    entries = truth(own_sandbox.grants["demo"].company, "booked_entries")
    assert rows["booked_entries"] == sum(str(row["date"])[:4] >= "2025" for row in entries)
    assert rows["customers"] == held(own_sandbox, "demo")["customers"]


def test_every_few_minutes_costs_the_calls_that_the_page_says(
    reader: Reader, own_sandbox: Sandbox
) -> None:
    reader.follow(FRESH)
    begins = [i for i, request in enumerate(own_sandbox.log) if request.path == "/self"]
    assert len(begins) == 2
    page = (ROOT / FRESH.document).read_text("utf-8")
    (told,) = re.findall(r"<!-- calls -->([\d,]+)<!--", page)
    (a_day,) = re.findall(r"<!-- calls a day -->([\d,]+)<!--", page)
    calls = len(own_sandbox.log) - begins[1]
    assert (int(told), int(a_day.replace(",", ""))) == (calls, calls * 288)
    assert calls * 288 * 5 < 50_000  # every minute
    wanted = {"booked_entries", "draft_entries", "invoices_booked"}
    assert set(rows_of(reader.folder / "first.jsonl")) == wanted


def test_what_a_grant_may_read(reader: Reader, own_sandbox: Sandbox) -> None:
    (reader.folder / "config.json").write_text(json.dumps(settings_for(own_sandbox, "demo")))
    assert "88 of 88 can be read" in reader.follow(ACCESS)


def test_a_pipe_without_meltano_and_every_recipe_on_its_files(
    reader: Reader, own_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The two programs; pipx installs them in a test of its own. The files have both runs' rows."""
    reader.follow(PIPE, but={block.name for block in PIPX.blocks})
    rows, once = files_in(reader.folder / "output"), held(own_sandbox, "demo")
    assert set(rows) == set(once)
    assert once["booked_entries"] < rows["booked_entries"] < 2 * once["booked_entries"]
    assert json.loads((reader.folder / "state.json").read_text())["bookmarks"]
    (reader.folder / "output" / "quotes_sent.jsonl").unlink(missing_ok=True)  # as if without rows
    reader.follow(DUCKDB_VIEWS)
    monkeypatch.chdir(reader.folder)
    with duckdb.connect() as database:
        database.execute(Path("views.sql").read_text())
        for stream, count in {**once, "quotes_sent": 0}.items():
            found = database.execute(f"SELECT count(*) FROM economic.{stream}").fetchone()
            assert found == (count,), stream
        for block in every_block("sql"):
            # living_customers.sql needs a column that targets write
            if block.title in CHECKS.keys() - {"living_customers.sql"}:
                answer = database.execute(block.text).fetchall()
                CHECKS[block.title](answer, own_sandbox.grants["demo"].company)
    reader.environment["PYTHONPATH"] = str(Path(duckdb.__file__).parent.parent)
    assert "balance" in reader.shell(f"{sys.executable} ask.py")


@pytest.fixture
def newcomer(reader: Reader, tmp_path: Path) -> Reader:
    """A reader who has pipx and uv and installs everything else."""
    tools = tmp_path / ".tools"
    for name in ("PIPX_HOME", "PIPX_BIN_DIR", "UV_TOOL_DIR", "UV_TOOL_BIN_DIR"):
        reader.environment[name] = str(tools / ("bin" if name.endswith("BIN_DIR") else name))
    uv("venv", "--quiet", "--seed", f"--python={sys.executable}", str(tools / "venv"))
    uv("pip", "install", "--quiet", f"--python={tools}/venv/bin/python", "pipx", "uv")
    reader.environment["PATH"] = f"{tools}/bin:{tools}/venv/bin:/usr/bin:/bin"
    reader.environment["PIPX_DEFAULT_PYTHON"] = sys.executable
    return reader


@pytest.mark.slow
def test_quick_start(newcomer: Reader, own_sandbox: Sandbox) -> None:
    newcomer.follow(QUICK_START)
    assert files_in(newcomer.folder / "books" / "output") == held(own_sandbox, "demo")


@pytest.mark.slow
def test_by_hand(newcomer: Reader, own_sandbox: Sandbox) -> None:
    newcomer.follow(BY_HAND)
    assert rows_of(newcomer.folder / "messages.jsonl") == held(own_sandbox, "demo")


@pytest.mark.slow
def test_readme(newcomer: Reader, own_sandbox: Sandbox) -> None:
    newcomer.follow(README)
    assert files_in(newcomer.folder / "output") == held(own_sandbox, "demo")


@pytest.mark.slow
def test_install(newcomer: Reader) -> None:
    """pip, pipx and uv, one after the other: the last two are told to take the place."""
    newcomer.environment["UV_TOOL_BIN_DIR"] += "-uv"
    newcomer.follow(INSTALL)
    found = newcomer.shell("command -v tap-visma-economic; tap-visma-economic --version")
    assert "tap-visma-economic v" in found


@pytest.mark.slow
def test_pipx(newcomer: Reader) -> None:
    newcomer.follow(PIPX)
    assert "tap-visma-economic v" in newcomer.shell("tap-visma-economic --version")
    assert "usage: target-jsonl" in newcomer.shell("target-jsonl --help").lower()


@pytest.mark.slow
@pytest.mark.skipif(sys.version_info >= (3, 14), reason="no wheel of duckdb 1.1.3 for it")
def test_target_duckdb(reader: Reader, own_sandbox: Sandbox) -> None:
    """With the pin of the page no row is lost."""
    (loader,) = [
        plugin
        for block in every_block("yaml")
        if block.document == DUCKDB.document
        for plugin in yaml.safe_load(block.text)["plugins"]["loaders"]
    ]
    environment = reader.folder / "loader"
    uv("venv", "--quiet", f"--python={sys.executable}", str(environment))
    python = f"--python={environment}/bin/python"
    uv("pip", "install", "--quiet", python, *loader["pip_url"].split())
    reader.environment["PATH"] += f":{environment}/bin"
    (reader.folder / "config.json").write_text(json.dumps(settings_for(own_sandbox, "demo")))
    reader.follow(DUCKDB)
    count = (
        "import duckdb; c = duckdb.connect('warehouse.duckdb'); print(c.sql('SELECT count(*) "
        "FROM economic.booked_entries').fetchone()[0])"
    )
    found = reader.shell(f'{environment}/bin/python -c "{count}"')
    assert int(found) == held(own_sandbox, "demo")["booked_entries"]
