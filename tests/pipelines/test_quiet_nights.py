"""What a night without changes costs target-postgres, with and without `skip_unchanged`."""

from __future__ import annotations

import json
import os
import subprocess
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from tests.conftest import TapRunner, clean_environment, settings_for
from tests.pipelines.test_postgres import counts
from tests.sandbox.company import build_company
from tests.sandbox.grants import Grant
from tests.sandbox.server import Sandbox

if TYPE_CHECKING:
    from pathlib import Path

    from tests.pipelines.postgres import Postgres

pytestmark = pytest.mark.slow

ENTRIES = 50_000


class Night(NamedTuple):
    """One run: the rows that the tap sent, and the CPU seconds of the target."""

    rows: int
    seconds: float


class Pipe:
    """`tap | target-postgres`, one after the other, so that each can be measured."""

    def __init__(self, folder: Path, target: Path, postgres: Postgres, sandbox: Sandbox) -> None:
        self.tap = TapRunner(folder)
        self.tap.timeout = 600
        self.target = target
        self.sandbox = sandbox
        self.state: Any = None
        settings = {
            "host": "127.0.0.1",
            "port": postgres.port,
            "user": postgres.user,
            "password": "any",
            "database": postgres.database,
            "default_target_schema": "economic",
        }
        self.settings = folder / "target.json"
        self.settings.write_text(json.dumps(settings))

    def __call__(self, **settings: Any) -> Night:
        arguments = self.tap.arguments(
            settings_for(self.sandbox, "demo", **settings), state=self.state
        )
        code, out, err = self.tap.execute(arguments, clean_environment())
        assert code == 0, err.decode()
        before = os.times()
        done = subprocess.run(
            [str(self.target), "--config", str(self.settings)],
            input=out,
            capture_output=True,
            env={**clean_environment(), "PGTZ": "UTC"},
            check=True,
        )
        after = os.times()
        self.state = json.loads(done.stdout.splitlines()[-1])
        seconds = (after.children_user - before.children_user) + (
            after.children_system - before.children_system
        )
        return Night(out.count(b'"type":"RECORD"'), seconds)


def test_a_quiet_night_costs_the_target_a_fraction(
    tmp_path: Path, installed: Path, postgres: Postgres
) -> None:
    target = installed / ".meltano/loaders/target-postgres/venv/bin/target-postgres"
    company = build_company(1234567, "Stille ApS", seed=1, entries=ENTRIES)
    with Sandbox({"demo": Grant(company)}) as sandbox:
        pipe = Pipe(tmp_path, target, postgres, sandbox)
        skip = {"skip_unchanged": "upsert", "resend_days": 365}
        first = pipe(**skip)
        held = counts(postgres)
        quiet = pipe(**skip)
        usual = pipe()
    print(f"first {first}, with {quiet}, without {usual}")
    assert counts(postgres) == held
    assert quiet.rows < usual.rows / 5
    assert quiet.seconds < usual.seconds / 4
