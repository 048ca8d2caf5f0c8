{#
  Runs of a company of which a later one says that the target had confirmed everything: it was given
  their state. Other runs may have failed in the target after their row in sync_runs was loaded.
#}
select runs.agreement_number, runs.run, runs.sent_whole, runs.sync_started_at
from {{ ref('stg_economic__sync_runs') }} as runs
where exists (
  select 1
  from {{ ref('stg_economic__sync_runs') }} as later
  where later.agreement_number = runs.agreement_number
    and later.proves = runs.run
)
