"""e-conomic into PostgreSQL: a partition per shard of the agreements file."""

import json
import os
import subprocess
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import dagster as dg

PROJECT = Path(os.environ.get("ECONOMIC_PROJECT", "/srv/economic"))
COUNT = int(os.environ.get("ECONOMIC_SHARDS", "8"))
SHARDS = [f"{index}-of-{COUNT}" for index in range(COUNT)]


@dg.asset(
    partitions_def=dg.StaticPartitionsDefinition(SHARDS),
    pool="economic",
    # Meltano considers a killed run active for 5 minutes.
    retry_policy=dg.RetryPolicy(max_retries=2, delay=6 * 60),
)
def economic_tables(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
    """The rows of one shard's companies, in tables that all shards share."""
    summary = ""
    with subprocess.Popen(
        ["./shard.sh", context.partition_key], cwd=PROJECT, stderr=subprocess.PIPE, text=True
    ) as run:
        for line in run.stderr or ():
            context.log.info(line.rstrip())
            if "omplete:" in line:  # Complete: or Incomplete:
                summary = line.strip()
    if run.returncode:
        raise dg.Failure(summary or f"meltano run ended with exit code {run.returncode}")
    return dg.MaterializeResult(metadata={"summary": summary})


@dg.schedule(
    target=economic_tables,
    cron_schedule="0 5 * * *",
    execution_timezone="Europe/Copenhagen",
    default_status=dg.DefaultScheduleStatus.RUNNING,
)
def every_morning() -> Iterator[dg.RunRequest]:
    """Load every shard."""
    for shard in SHARDS:
        yield dg.RunRequest(run_key=shard, partition_key=shard)


@dg.sensor(
    target=economic_tables,
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING,
)
def new_companies(context: dg.SensorEvaluationContext) -> dg.SensorResult:
    """Load the shards of companies that were added to the agreements file."""
    lines = (PROJECT / "agreements.jsonl").read_text("utf-8").splitlines()
    companies = {json.loads(line)["agreement_number"] for line in lines if line.strip()}
    known = set(json.loads(context.cursor)) if context.cursor else companies
    new = {int(sha256(str(number).encode()).hexdigest(), 16) for number in companies - known}
    return dg.SensorResult(
        run_requests=[
            dg.RunRequest(partition_key=SHARDS[index])
            for index in sorted({digest % COUNT for digest in new})
        ],
        cursor=json.dumps(sorted(companies)),
    )


definitions = dg.Definitions(
    assets=[economic_tables],
    jobs=[dg.define_asset_job("economic", [economic_tables])],
    schedules=[every_morning],
    sensors=[new_companies],
    executor=dg.in_process_executor,
)
