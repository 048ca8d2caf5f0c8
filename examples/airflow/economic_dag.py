"""e-conomic into PostgreSQL every morning: one task per shard of the agreements file."""

from datetime import timedelta

import pendulum
from airflow.sdk import DAG, Variable, task

with DAG(
    dag_id="economic",
    schedule="0 5 * * *",
    start_date=pendulum.datetime(2026, 1, 1, tz="Europe/Copenhagen"),
    catchup=False,
    max_active_runs=1,
):

    @task
    def shards() -> list[str]:
        count = int(Variable.get("economic_shards"))
        return [f"{index}-of-{count}" for index in range(count)]

    @task.bash(
        pool="economic",
        cwd="{{ var.value.economic_project }}",
        env={
            "TAP_VISMA_ECONOMIC_APP_SECRET_TOKEN": "{{ var.value.economic_app_secret_token }}",
            "TARGET_POSTGRES_PASSWORD": "{{ var.value.economic_postgres_password }}",
        },
        append_env=True,
        retries=2,
        retry_delay=timedelta(minutes=6),  # Meltano considers a killed run active for 5
        map_index_template="{{ shard }}",
    )
    def load(shard: str) -> str:
        return f"./shard.sh {shard}"

    load.expand(shard=shards())
