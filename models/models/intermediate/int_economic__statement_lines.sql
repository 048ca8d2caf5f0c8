{#
  The lines of the chart of accounts and the accounts that each adds up: an account itself, a total
  (sum fra, sum interval) those in its intervals. A total by formula (sum alfa) is no sum, and left out.

  An account keeps its old intervals when it stops being a total, so its type decides.
#}
with spans as (
  select
    agreement_number,
    account_number,
    account_number as from_account_number,
    account_number as to_account_number
  from {{ ref('stg_economic__accounts') }}
  where account_type in ('profitAndLoss', 'status')
  union all
  select
    agreement_number,
    account_number,
    total_from_account_number as from_account_number,
    account_number as to_account_number
  from {{ ref('stg_economic__accounts') }}
  where account_type = 'totalFrom'
  union all
  select
    intervals.agreement_number,
    intervals.account_number,
    intervals.from_account_number,
    intervals.to_account_number
  from {{ ref('stg_economic__account_total_intervals') }} as intervals
  inner join {{ ref('stg_economic__accounts') }} as totals
    on totals.agreement_number = intervals.agreement_number
    and totals.account_number = intervals.account_number
  where totals.account_type = 'sumInterval'
)

select distinct
  spans.agreement_number,
  spans.account_number,
  members.account_number as member_account_number,
  members.account_type as member_account_type
from spans
inner join {{ ref('stg_economic__accounts') }} as members
  on members.agreement_number = spans.agreement_number
  and members.account_number between spans.from_account_number and spans.to_account_number
where members.account_type in ('profitAndLoss', 'status')
