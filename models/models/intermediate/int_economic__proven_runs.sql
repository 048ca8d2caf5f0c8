{#
  What the runs of a company have sent whole, as far as a later run says that the target had confirmed
  everything: it was given their state. Other runs may have failed in the target after their row in
  sync_runs was loaded. A table, because every staging view reads it.
#}
{{ config(materialized='table') }}

select runs.agreement_number, runs.sent_whole, max(runs.sync_started_at) as sync_started_at
from {{ ref('stg_economic__sync_runs') }} as runs
where exists (
  select 1
  from {{ ref('stg_economic__sync_runs') }} as later
  where later.agreement_number = runs.agreement_number
    and later.proves = runs.run
)
group by runs.agreement_number, runs.sent_whole
