"""A night of sixty companies on Airflow and on Dagster: what goes wrong in it, and what is loaded.

The engines, Meltano, target-postgres and PostgreSQL are real; e-conomic is the sandbox.
"""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tap_visma_economic.shard import shard_of
from tests import venvs
from tests.documents import every_block
from tests.expected import differences
from tests.pipelines.engines import EXAMPLES, KUBERNETES, Airflow, Dagster, Office, wait_for
from tests.pipelines.test_some_weeks_in_postgres import rows_in
from tests.sandbox import Grant
from tests.sandbox.company import build_company
from tests.support import APP, CANARY, NUMBER, canary_sandbox
from tests.test_records_arrive import truth
from tests.warehouse import key_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.pipelines.postgres import Postgres
    from tests.sandbox import Sandbox

pytestmark = pytest.mark.slow

CRON_JOB = EXAMPLES / "kubernetes/economic.yaml"
COMPANIES, SHARDS = 60, 6
STREAMS = (
    "agreements",
    "accounts",
    "attached_documents",
    "booked_entries",
    "budget_figures",
    "customer_contacts",
    "customers",
    "draft_entries",
    "invoices_booked",
    "invoices_booked_lines",
    "projects",
    "suppliers",
)
DELETED = {
    "budget_figures": "budgetsapi:/budget-figures",
    "draft_entries": "journalsapi:/draft-entries",
    "suppliers": "rest:/suppliers",
}
"""Streams that lose rows, with their listings."""

DELETED_ROWS = """
SELECT row_to_json(t) FROM {schema}.{stream} AS t JOIN (
  SELECT "agreementNumber", max(_sdc_sync_started_at) AS latest FROM {schema}.sync_runs AS run
  WHERE "sentWhole"::jsonb ? '{stream}' AND EXISTS (
    SELECT FROM {schema}.sync_runs AS later
    WHERE later.proves = run.run AND later."agreementNumber" = run."agreementNumber"
  ) GROUP BY 1
) AS proven USING ("agreementNumber") WHERE t._sdc_sync_started_at < proven.latest
"""


def token(place: int) -> str:
    return f"{CANARY}grant-{place:02}"


def grant(place: int) -> Grant:
    return Grant(build_company(NUMBER + place, f"Firma {place}", seed=place + 7, entries=80))


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with canary_sandbox({token(n): grant(n) for n in range(COMPANIES)}, latency=0.01) as running:
        yield running


def shard(place: int) -> int:
    return shard_of(NUMBER + place, SHARDS)


def of_shard(number: int) -> list[int]:
    return [place for place in range(COMPANIES) if shard(place) == number]


LARGE = [number for number in range(SHARDS) if len(of_shard(number)) >= 10]
"""Shards of which one company is a tenth or less."""


class Night:
    """What happens to the companies of an office between two runs, and during the second."""

    def __init__(self, office: Office, sandbox: Sandbox) -> None:
        self.office, self.sandbox = office, sandbox
        self.deleted: dict[str, set[tuple[str, ...]]] = {stream: set() for stream in DELETED}
        self.revoked = [next(n for n in of_shard(number) if n % 7) for number in LARGE[:3]]
        self.killed = f"{LARGE[0]}-of-{SHARDS}"
        self.runs = Counter[tuple[str, str]]()

    def goes_wrong(self) -> None:
        self.rows_are_deleted()
        self.grants_are_revoked()
        self.a_company_is_added()

    def loaded(self, *shards: int) -> None:
        """Expect rows of a run of these shards in `sync_runs`."""
        for access, number in self.office.companies.items():
            if shard_of(number, SHARDS) in shards:
                refused = access in self.sandbox.service.revoked
                self.runs[str(number), "refused" if refused else "complete"] += 1

    def found_runs(self) -> dict[tuple[str, str], int]:
        """How often each company ended in which way, as `sync_runs` has it."""
        sql = f'SELECT "agreementNumber", outcome, count(*) FROM {self.office.schema}.sync_runs'
        rows = self.office.postgres.query(f"{sql} GROUP BY 1, 2")
        return {(number, outcome): int(count) for number, outcome, count in rows}

    def found_deleted(self, stream: str) -> set[tuple[str, ...]]:
        """The rows older than the last proven run that wrote their stream completely."""
        sql = DELETED_ROWS.format(schema=self.office.schema, stream=stream)
        rows = (json.loads(text) for (text,) in self.office.postgres.query(sql))
        return {key_of(stream, row) for row in rows}

    def is_complete(self, log: str) -> None:
        """Everything is loaded, and the log of the engine says so, without a token."""
        assert self.wrong() == []
        assert self.found_runs() == self.runs
        assert self.office.runs(self.killed) == ["SUCCESS", "FAIL", "SUCCESS", "SUCCESS"]
        for stream in STREAMS:
            assert self.found_deleted(stream) == self.deleted.get(stream, set()), stream
        assert log.count("1 grant rejected, see above") >= len(self.revoked)
        assert "Finished sync" not in log, "the result would be buried"
        assert CANARY not in log

    def rows_are_deleted(self) -> None:
        for place in range(0, COMPANIES, 7):
            company = self.sandbox.grants[token(place)].company
            for stream, endpoint in DELETED.items():
                rows: Any = company.rows(endpoint)
                gone = {"agreementNumber": NUMBER + place, **rows.pop(1)}
                self.deleted[stream].add(key_of(stream, gone))

    def grants_are_revoked(self) -> None:
        """Of one company in each of three shards, none of which loses rows."""
        for place in self.revoked:
            self.sandbox.revoke(token(place))

    def a_company_is_added(self) -> None:
        self.sandbox.grants[token(COMPANIES)] = grant(COMPANIES)
        self.office.add(token(COMPANIES), NUMBER + COMPANIES)

    def a_worker_is_killed(self) -> None:
        """In the middle: some companies of its shard are read, and some are not."""
        mine, before = {token(n) for n in of_shard(LARGE[0])}, len(self.sandbox.log)

        def half_read() -> bool:
            seen = [r for r in self.sandbox.log[before:] if r.grant in mine]
            return len(seen) > 60

        wait_for("the shard to be half read", half_read)
        self.office.kill(self.killed)

    def wrong(self) -> list[str]:
        """In what the tables differ from the books; rows that were deleted may be there."""
        found = []
        for stream in STREAMS:
            books = {
                key_of(stream, row): row
                for access in self.sandbox.grants.values()
                for row in _rows(access, stream)
            }
            rows = rows_in(self.office.postgres, stream, self.office.schema)
            loaded = {key_of(stream, row): row for row in rows}
            wanted = books.keys() | self.deleted.get(stream, set())
            found += [f"{stream} {key}: missing" for key in wanted - loaded.keys()]
            found += [f"{stream} {key}: unknown" for key in loaded.keys() - wanted]
            found += [f"{stream}: a key twice"] if len(loaded) < len(rows) else []
            for key in books.keys() & loaded.keys():
                found += differences(stream, loaded[key], books[key])
        return found


def _rows(access: Grant, stream: str) -> list[dict[str, Any]]:
    number = access.company.agreement_number
    return [{"agreementNumber": number, **row} for row in truth(access.company, stream)]


@pytest.fixture
def night(office: Office, sandbox: Sandbox) -> Night:
    return Night(office, sandbox)


@pytest.mark.parametrize("office", ["on_airflow"], indirect=True)
def test_a_night_on_airflow(night: Night) -> None:
    airflow = Airflow(night.office, SHARDS, APP)
    with airflow.running():
        airflow.set_up()
        airflow.finished(1)
        night.loaded(*range(SHARDS))
        assert night.wrong() == []
        airflow.widen()
        night.goes_wrong()
        airflow.start()
        night.a_worker_is_killed()
        night.office.six_minutes_pass(night.killed)
        airflow.finished(2)
        tries = {f"{number}-of-{SHARDS}": 1 for number in range(SHARDS)}
        assert airflow.tries() == {**tries, night.killed: 2}
        airflow.start()  # it proves what the run before has written
        airflow.finished(3)
    for _ in range(2):
        night.loaded(*range(SHARDS))
    night.is_complete(airflow.log())


@pytest.mark.parametrize("office", ["on_dagster"], indirect=True)
def test_a_night_on_dagster(night: Night) -> None:
    dagster = Dagster(night.office, SHARDS, APP)
    with dagster.running():
        dagster.set_up()
        dagster.finished(SHARDS)
        night.loaded(*range(SHARDS))
        assert night.wrong() == []
        dagster.widen()
    night.goes_wrong()
    with dagster.running(morning=True):
        night.a_worker_is_killed()
        wait_for("a retry that is too early", lambda: dagster.says("is already running which"))
        night.office.six_minutes_pass(night.killed)
        # The shards twice, the sensor's run of the new company's, and the one that was killed.
        dagster.finished(2 * SHARDS + 2)
        dagster.set_up()  # it proves what the run before has written
        dagster.finished(3 * SHARDS + 2)
    for shards in (range(SHARDS), range(SHARDS), [shard(COMPANIES)]):
        night.loaded(*shards)
    night.is_complete(dagster.log())


@pytest.fixture
def office(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    installed: Path,
    postgres: Postgres,
    sandbox: Sandbox,
) -> Office:
    office = Office(
        request.param,
        tmp_path / "project",
        installed,
        postgres,
        sandbox,
        streams=(*STREAMS, "sync_runs"),
    )
    for place in range(COMPANIES):
        office.add(token(place), NUMBER + place)
    return office


def test_the_cron_job_follows_the_schema_of_kubernetes() -> None:
    validate = venvs.bin_of("kubernetes", KUBERNETES) / "kubernetes-validate"
    for version in ("1.33", "1.37"):
        command = [str(validate), "--strict", "--kubernetes-version", version, str(CRON_JOB)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("office", ["on_kubernetes"], indirect=True)
def test_the_container_of_a_pod_loads_its_shard(office: Office) -> None:
    job = yaml.safe_load(CRON_JOB.read_text("utf-8"))["spec"]["jobTemplate"]["spec"]
    (container,) = job["template"]["spec"]["containers"]
    folder = office.folder / "secret"
    folder.mkdir()
    (office.folder / "agreements.jsonl").rename(folder / "agreements.jsonl")
    given = {entry["name"]: entry["value"] for entry in container["env"]}
    (mount,) = container["volumeMounts"]
    given = {name: v.replace(mount["mountPath"], str(folder)) for name, v in given.items()}
    office.shell(
        shlex.join(container["command"]),
        **given,
        TAP_VISMA_ECONOMIC_APP_SECRET_TOKEN=APP,
        JOB_COMPLETION_INDEX="3",
    )
    assert job["completions"] == 8
    mine = {str(NUMBER + n) for n in range(COMPANIES) if shard_of(NUMBER + n, 8) == 3}
    assert companies_in(office) == mine


@pytest.mark.parametrize("office", ["on_a_pipe"], indirect=True)
def test_shards_run_without_meltano(office: Office, installed: Path, sandbox: Sandbox) -> None:
    name = "shard-without-meltano.sh"
    (script,) = (block.text for block in every_block("bash") if block.title == name)
    (office.folder / name).write_text(script)
    target = installed / ".meltano/loaders/target-postgres/venv/bin/target-postgres"
    for program in (target, Path(sys.executable).with_name("tap-visma-economic")):
        (office.folder / "bin" / program.name).symlink_to(program)
    where = {"host": "127.0.0.1", "port": office.postgres.port, "database": "postgres"}
    who = {"user": office.postgres.user, "password": "any", "default_target_schema": office.schema}
    (office.folder / "target.json").write_text(json.dumps({**where, **who}))
    for shard in ("1-of-20", "2-of-20", "1-of-20"):
        sandbox.log.clear()
        office.shell(f"bash {name} {shard}", TAP_VISMA_ECONOMIC_APP_SECRET_TOKEN=APP, PGTZ="UTC")
    mine = {str(NUMBER + n) for n in range(COMPANIES) if shard_of(NUMBER + n, 20) in {1, 2}}
    assert companies_in(office) == mine
    assert len(list((office.folder / "state").glob("*.json"))) == 2
    listings = [r.target for r in sandbox.log if "booked-entries?" in r.target]
    assert listings
    assert all("filter=" in target for target in listings), "the second run of a shard continues"


def companies_in(office: Office) -> set[str]:
    table = f"{office.schema}.booked_entries"
    rows = office.postgres.query(f'SELECT DISTINCT "agreementNumber" FROM {table}')
    return {number for (number,) in rows}
