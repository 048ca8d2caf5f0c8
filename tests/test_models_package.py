"""`models/` as a package of somebody's own dbt project, and with the oldest dbt it accepts."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import duckdb
import pytest
import yaml

from tests.dbt import OLDEST, PACKAGE, call, executable
from tests.odd_books import Books

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow

PROJECT = """
name: firma
version: "1.0"
profile: firma
vars:
  visma_economic:
    as_of_date: "2025-06-30"
models:
  visma_economic:
    reports:
      +schema: regnskab
"""
PROFILE = """
firma:
  target: dev
  outputs:
    dev: {type: duckdb, path: warehouse.duckdb, schema: dw}
"""
SAME_NAMES = """
{% macro raw(a) %}nothing{% endmacro %}
{% macro portion(a, b, c) %}nothing{% endmacro %}
{% macro ageing(a, b) %}nothing{% endmacro %}
"""


def test_it_is_a_package_of_another_project(tmp_path: Path) -> None:
    """With variables of its own, and with macros there that have the same names."""
    books = Books(tmp_path)
    sale: dict[str, Any] = {"remainder": 125, "customernumber": 9}
    books.book(1, 1001, 1, day="2025-03-31", account=5600, amount=125, **sale)
    (tmp_path / "dbt_project.yml").write_text(PROJECT)
    (tmp_path / "profiles.yml").write_text(PROFILE)
    (tmp_path / "packages.yml").write_text(yaml.safe_dump({"packages": [{"local": f"{PACKAGE}"}]}))
    (tmp_path / "macros").mkdir()
    (tmp_path / "macros" / "own.sql").write_text(SAME_NAMES)
    (tmp_path / "models").mkdir()
    own = "select total, as_of_date from {{ ref('receivables_ageing') }}"
    (tmp_path / "models" / "owed.sql").write_text(own)
    dbt = str(executable())
    for command in (
        ["deps"],
        ["build", "--select", "+owed", "--exclude-resource-type", "test"],
        ["parse", "--no-partial-parse", "--show-all-deprecations"],
    ):
        done = call([dbt, "--no-use-colors", *command], tmp_path, {})
        assert done.returncode == 0, done.stdout
        assert "eprecat" not in done.stdout
    with duckdb.connect(str(books.database), read_only=True) as connection:
        owed = "SELECT CAST(total AS INT), CAST(as_of_date AS VARCHAR) FROM dw.owed"
        assert connection.execute(owed).fetchall() == [(125, "2025-06-30")]
        assert connection.execute("SELECT count(*) FROM dw_regnskab.general_ledger").fetchone()


@pytest.mark.skipif(sys.version_info >= (3, 13), reason="dbt 1.8 does not run on this Python")
def test_the_oldest_dbt_that_is_accepted_reads_the_package(tmp_path: Path) -> None:
    dbt = str(executable(OLDEST, "dbt-oldest"))
    places = [f"--project-dir={PACKAGE}", f"--profiles-dir={PACKAGE}", "--target=postgres"]
    writes = [f"--target-path={tmp_path / 'target'}", f"--log-path={tmp_path / 'logs'}"]
    done = call([dbt, "--no-use-colors", "parse", *places, *writes], tmp_path, {})
    assert done.returncode == 0, done.stdout
    assert "dbt=1.8" in done.stdout
