{#
  A rejected grant may not tell its company's number: an earlier run of the same grant does.
#}
with runs as (
  select
    stg.*,
    coalesce(
      agreement_number,
      max(agreement_number) over (partition by grant_digest)
    ) as known_number
  from {{ ref('stg_economic__sync_runs') }} as stg
),

numbered as (
  select
    runs.*,
    coalesce(cast(known_number as {{ dbt.type_string() }}), grant_digest) as company,
    row_number() over (
      partition by coalesce(cast(known_number as {{ dbt.type_string() }}), grant_digest)
      order by sync_started_at desc, started_at desc, ended_at desc, run
    ) as latest
  from runs
),

summed as (
  select
    company,
    max(case when outcome = 'complete' and not is_event_run then started_at end) as fresh_as_of,
    max(case when outcome = 'complete' and is_event_run then started_at end) as events_read_at,
    max(company_name) as company_name
  from numbered
  group by company
)

select
  numbered.known_number as agreement_number,
  summed.company_name,
  numbered.grant_digest,
  summed.fresh_as_of,
  summed.events_read_at,
  numbered.started_at as last_run_at,
  numbered.outcome as last_outcome,
  case when numbered.outcome <> 'complete' then numbered.failed end as why,
  case when numbered.skipped <> '{}' then numbered.skipped end as skipped,
  numbered.shard,
  numbered.run
from numbered
inner join summed on summed.company = numbered.company
where numbered.latest = 1
