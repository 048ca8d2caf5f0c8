"""Airflow and Dagster, run for real: an office whose companies they load, shard by shard."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from scripts.local import ROOT, MeltanoProject, environment, process
from tests import venvs
from tests.documents import blocks
from tests.pipelines.conftest import NO_HUB, into
from tests.pipelines.postgres import free_port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.pipelines.postgres import Postgres
    from tests.sandbox import Sandbox

EXAMPLES = ROOT / "examples"
AIRFLOW = ("apache-airflow==3.3.*",)
DAGSTER = ("dagster==1.13.*",)
KUBERNETES = ("kubernetes-validate==1.37.*",)
PATIENCE = 600  # seconds
SHARDS = "docs/running/shards.md"


def wait_for(what: str, true: Callable[[], Any], seconds: float = PATIENCE) -> Any:
    """Wait until something is true, and return it."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if found := true():
            return found
        time.sleep(0.5)
    raise AssertionError(f"{what}: not within {seconds} seconds")


def text_of(document: str, language: str, words: str) -> str:
    """The block of a document that contains these words."""
    found = [b.text for b in blocks(document) if b.language == language and words in b.text]
    (text,) = found
    return text


class Office:
    """A Meltano project of many companies, made with the commands of docs/running/shards.md.

    Args:
        name: of its tables' schema, and of the database with Meltano's state.
        folder: where the project is.
        installed: a project whose plugins are installed.
    """

    def __init__(
        self,
        name: str,
        folder: Path,
        installed: Path,
        postgres: Postgres,
        sandbox: Sandbox,
        *,
        streams: tuple[str, ...],
    ) -> None:
        self.schema, self.folder, self.postgres = name, folder, postgres
        MeltanoProject(folder)
        (folder / ".meltano").mkdir()
        for kind in ("extractors", "loaders"):
            (folder / ".meltano" / kind).symlink_to(installed / ".meltano" / kind)
        (folder / "shard.sh").write_bytes((EXAMPLES / "shard.sh").read_bytes())
        (folder / "shard.sh").chmod(0o755)
        (folder / "bin").mkdir()
        (folder / "bin/meltano").symlink_to(Path(sys.executable).with_name("meltano"))
        (folder / "singer-logging.yaml").write_text(
            text_of("docs/running/logs.md", "yaml", "StructuredFormatter")
        )
        self.state = postgres.new_database(f"meltano_{name}")
        settings = {
            **NO_HUB,
            **into(postgres),
            **environment(
                {
                    "rest_url": sandbox.url,
                    "openapi_url": sandbox.url,
                    "agreements_file": "agreements.jsonl",
                    "refused_grants": "warn",
                }
            ),
            "TAP_VISMA_ECONOMIC__SELECT": json.dumps([f"{stream}.*" for stream in streams]),
            "TARGET_POSTGRES_DEFAULT_TARGET_SCHEMA": name,
            "MELTANO_DATABASE_URI": self.state.replace("postgresql", "postgresql+psycopg", 1),
            "SINGER_SDK_LOG_CONFIG": "singer-logging.yaml",
            "LOGLEVEL": "WARNING",
        }
        (folder / ".env").write_text("".join(f"{k}='{v}'\n" for k, v in settings.items()))
        self.companies = dict[str, int]()
        self.shell(text_of(SHARDS, "sh", "--dump=catalog"))

    def add(self, token: str, number: int) -> None:
        """Add a company to the agreements file, as `connect` does."""
        self.companies[token] = number
        lines = [
            json.dumps({"agreement_number": n, "agreement_grant_token": t})
            for t, n in self.companies.items()
        ]
        new = self.folder / "agreements.new"
        new.write_text("\n".join(lines) + "\n")
        new.replace(self.folder / "agreements.jsonl")

    @property
    def environment(self) -> dict[str, str]:
        """Of its engine: Meltano, and nothing of whoever runs the tests."""
        ours = ("AIRFLOW", "DAGSTER", "ECONOMIC_", "MELTANO_", "TAP_", "TARGET_", "PAN_SEC_")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
        return {**kept, "PATH": f"{self.folder / 'bin'}:{kept['PATH']}"}

    def shell(self, command: str, **more: str) -> str:
        """Run commands of a page in the project's folder, and return what they print."""
        done = subprocess.run(
            ["bash", "-euc", command],
            cwd=self.folder,
            env={**self.environment, **more},
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        assert done.returncode == 0, f"{command}: {done.stdout[-2000:]}{done.stderr[-4000:]}"
        return done.stdout

    def kill(self, shard: str) -> None:
        """Kill the worker that loads a shard with all that it started, as a lost machine would."""
        (loading,) = (
            pid for pid, (_, line) in processes().items() if f"--state-id-suffix {shard} " in line
        )
        worker = processes()[loading][0]
        doomed = [worker, *descendants(worker)]
        for pid in doomed:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def six_minutes_pass(self, shard: str) -> None:
        """Let Meltano believe that a run gave its last sign of life six minutes ago."""
        self.postgres.query(
            "UPDATE runs SET last_heartbeat_at = last_heartbeat_at - interval '6 minutes' "
            f"WHERE state = 'RUNNING' AND job_name LIKE '%:{shard}'",
            url=self.state,
        )

    def runs(self, shard: str) -> list[str]:
        """How Meltano's runs of a shard ended, in their order."""
        found = self.postgres.query(
            f"SELECT state FROM runs WHERE job_name LIKE '%:{shard}' ORDER BY started_at",
            url=self.state,
        )
        return [state for (state,) in found]


def processes() -> dict[int, tuple[int, str]]:
    """All processes: the parent of each, and its command line."""
    listed = subprocess.run(
        ["ps", "-A", "-ww", "-o", "pid=,ppid=,args="], capture_output=True, text=True, check=True
    )
    fields = (line.split(None, 2) for line in listed.stdout.splitlines())
    return {int(pid): (int(parent), f"{line} ") for pid, parent, line in fields if line}


def descendants(of: int) -> list[int]:
    """All processes below one."""
    children = defaultdict[int, list[int]](list)
    for pid, (parent, _) in processes().items():
        children[parent].append(pid)
    found, below = list[int](), [*children[of]]
    while below:
        found.append(below.pop())
        below += children[found[-1]]
    return found


def query(file: Path, sql: str) -> list[Any]:
    """The rows of a query in an engine's own database, which it has in use."""
    with contextlib.closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as database:
        return database.execute(sql).fetchall()


class Airflow:
    """Airflow: API server, scheduler with LocalExecutor and DAG processor, on the example's DAG."""

    page = "docs/running/airflow.md"

    def __init__(self, office: Office, shards: int, app_secret: str) -> None:
        self.office, self.shards = office, shards
        self.home = office.folder / "airflow"
        self.dags = self.home / "dags"
        self.dags.mkdir(parents=True)
        text = (EXAMPLES / "airflow/economic_dag.py").read_text("utf-8")
        sooner = text.replace("timedelta(minutes=6)", "timedelta(seconds=5)")
        assert sooner != text
        (self.dags / "economic_dag.py").write_text(sooner)
        port = str(free_port())
        programs = venvs.bin_of("airflow", AIRFLOW)
        self.environment = {
            "PATH": f"{programs}:{office.environment['PATH']}",
            "AIRFLOW_HOME": str(self.home),
            "AIRFLOW__CORE__DAGS_FOLDER": str(self.dags),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "false",
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{port}/execution/",
            "AIRFLOW__API__HOST": "127.0.0.1",
            "AIRFLOW__API__PORT": port,
            "AIRFLOW__API_AUTH__JWT_SECRET": "of the tests, long enough for HS512" * 2,
            "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "5",
            "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(free_port()),
            "AIRFLOW__SCHEDULER__ENABLE_HEALTH_CHECK": "false",
            "AIRFLOW__CORE__PARALLELISM": "4",
        }
        self.settings = {
            "APP_SECRET_TOKEN": app_secret,
            "POSTGRES_PASSWORD": "any, the server trusts everybody",
        }

    def shell(self, command: str) -> str:
        """Run commands of the page."""
        here = command.replace("/srv/economic", str(self.office.folder))
        fewer = here.replace("economic_shards 8", f"economic_shards {self.shards}")
        return self.office.shell(fewer, **self.environment, **self.settings)

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Run it."""
        self.shell("airflow db migrate")
        with contextlib.ExitStack() as stack:
            for name in ("api-server", "scheduler", "dag-processor"):
                log = stack.enter_context((self.home / f"{name}.log").open("w"))
                command = [str(venvs.bin_of("airflow", AIRFLOW) / "airflow"), name]
                env = {**self.office.environment, **self.environment}
                options: dict[str, Any] = {"cwd": self.home, "env": env, "stdout": log}
                stack.enter_context(process(command, stderr=log, **options))
            wait_for("the DAG", lambda: self._query("SELECT 1 FROM dag"))
            yield

    def _query(self, sql: str) -> list[Any]:
        return query(self.home / "airflow.db", sql)

    def set_up(self) -> None:
        """Make the pool and the variables, and run the DAG for the first time."""
        for block in blocks(self.page):
            if block.language == "sh" and "economic 4" not in block.text:
                self.shell(block.text)

    def widen(self) -> None:
        """Let several shards run at the same time."""
        self.shell(text_of(self.page, "sh", "pools set economic 4"))

    def start(self) -> None:
        """Run the DAG once more."""
        self.shell("airflow dags trigger economic")

    def finished(self, number: int) -> None:
        """Wait until a run of the DAG is over, counted from 1: it must have succeeded."""

        def state() -> str:
            runs = self._query("SELECT state FROM dag_run ORDER BY queued_at")
            ended = len(runs) >= number and runs[number - 1][0] in {"success", "failed"}
            return str(runs[number - 1][0]) if ended else ""

        assert wait_for(f"run {number}", state) == "success", self.log()

    def tries(self) -> dict[str, int]:
        """How often each shard was tried in the last run."""
        return dict(
            self._query(
                "SELECT rendered_map_index, try_number FROM task_instance WHERE task_id = 'load' "
                "AND run_id = (SELECT run_id FROM dag_run ORDER BY queued_at DESC LIMIT 1)"
            )
        )

    def log(self) -> str:
        """All logs of tasks."""
        files = sorted(self.home.glob("logs/dag_id=*/**/*.log"))
        return "\n".join(path.read_text("utf-8") for path in files)


class Dagster:
    """Dagster's daemon, on the example's definitions and its dagster.yaml."""

    page = "docs/running/dagster.md"

    def __init__(self, office: Office, shards: int, app_secret: str) -> None:
        self.office, self.shards = office, shards
        self.home = office.folder / "dagster"
        self.home.mkdir()
        text = (EXAMPLES / "dagster/economic_definitions.py").read_text("utf-8")
        self._text = text.replace("delay=6 * 60", "delay=20").replace(
            "minimum_interval_seconds=60", "minimum_interval_seconds=5"
        )
        assert len(self._text) < len(text) - 1
        self._definitions.write_text(self._text)
        (self.home / "dagster.yaml").write_bytes((EXAMPLES / "dagster/dagster.yaml").read_bytes())
        programs = venvs.bin_of("dagster", DAGSTER)
        self.environment = {
            "PATH": f"{programs}:{office.environment['PATH']}",
            "DAGSTER_HOME": str(self.home),
            "ECONOMIC_PROJECT": str(office.folder),
            "ECONOMIC_SHARDS": str(shards),
            "TAP_VISMA_ECONOMIC_APP_SECRET_TOKEN": app_secret,
        }

    def shell(self, command: str) -> str:
        """Run commands of the page."""
        return self.office.shell(f"cd {self.home}; {command}", **self.environment)

    @property
    def _definitions(self) -> Path:
        return self.home / "economic_definitions.py"

    @contextlib.contextmanager
    def running(self, *, morning: bool = False) -> Iterator[None]:
        """Run the daemon; in a minute it may be five in the morning."""
        self.shell("dagster instance info")  # makes the databases: two processes would collide
        if morning:
            soon = dt.datetime.now(ZoneInfo("Europe/Copenhagen")) + dt.timedelta(seconds=75)
            cron = f"{soon.minute} {soon.hour} * * *"
            self._definitions.write_text(self._text.replace("0 5 * * *", cron))
        command = text_of(self.page, "sh", "dagster-daemon run").split()
        program = str(venvs.bin_of("dagster", DAGSTER) / command[0])
        env = {**self.office.environment, **self.environment}
        with (self.home / "daemon.log").open("a") as log:
            options: dict[str, Any] = {"cwd": self.home, "env": env, "stdout": log}
            with process([program, *command[1:]], stderr=log, **options):
                yield

    def set_up(self) -> None:
        """Run every shard for the first time, one after another."""
        for block in blocks(self.page):
            if block.language == "sh" and not block.title and "economic 4" not in block.text:
                self.shell(block.text)

    def widen(self) -> None:
        """Let several shards run at the same time."""
        self.shell(text_of(self.page, "sh", "concurrency set economic 4"))

    def says(self, words: str) -> bool:
        """Whether these words are in the daemon's log."""
        return words in (self.home / "daemon.log").read_text("utf-8")

    def finished(self, number: int) -> None:
        """Wait until this number of runs is over, and none is left: one may have failed."""

        def over() -> list[str]:
            found = [state for (state,) in self._query("SELECT status FROM runs")]
            ended = all(state in {"SUCCESS", "FAILURE", "CANCELED"} for state in found)
            return found if ended and len(found) >= number else []

        states = sorted(wait_for(f"{number} runs", over))
        killed = ["FAILURE"] if number > self.shards else []
        assert states == [*killed, *["SUCCESS"] * (number - len(killed))], self.log()[-9000:]

    def _query(self, sql: str) -> list[Any]:
        return query(self.home / "history/runs.db", sql)

    def log(self) -> str:
        """All that the runs logged."""
        databases = sorted((self.home / "history/runs").glob("*-*.db"))  # named by the runs' UUIDs
        found = [query(file, "SELECT event FROM event_logs") for file in databases]
        return "\n".join(event for events in found for (event,) in events)
