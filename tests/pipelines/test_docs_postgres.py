"""The SQL of the documents, run on a real PostgreSQL over what Meltano loaded there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.conftest import settings_for
from tests.documents import every_block
from tests.pipelines.conftest import into, said
from tests.recipes import CHECKS

if TYPE_CHECKING:
    from tests.documents import Block
    from tests.pipelines.conftest import Pipeline
    from tests.pipelines.postgres import Postgres
    from tests.sandbox.server import Sandbox

RECIPES = [block for block in every_block("sql") if block.document != "docs/models.md"]


@pytest.fixture(scope="module")
def loaded(pipeline: Pipeline, sandbox: Sandbox, postgres: Postgres) -> Postgres:
    """The server with the main company in it."""
    run = pipeline.run("target-postgres", settings_for(sandbox, "demo"), into(postgres))
    assert run.exit_code == 0, said(run)
    return postgres


@pytest.mark.parametrize("block", RECIPES, ids=lambda block: block.title)
def test_a_query_finds_what_is_there(block: Block, loaded: Postgres, sandbox: Sandbox) -> None:
    CHECKS[block.title](loaded.query(block.text), sandbox.grants["demo"].company)
