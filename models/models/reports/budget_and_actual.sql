with figures as (
  select agreement_number, accounting_year, period_number, account_number, budget, 0 as actual
  from {{ ref('int_economic__budget_periods') }}
  union all
  select agreement_number, accounting_year, period_number, account_number, 0 as budget, movement as actual
  from {{ ref('trial_balance') }}
  where account_type = 'profitAndLoss'
),

sums as (
  select
    agreement_number,
    accounting_year,
    period_number,
    account_number,
    sum(budget) as budget,
    sum(actual) as actual
  from figures
  group by agreement_number, accounting_year, period_number, account_number
)

select
  sums.agreement_number,
  sums.accounting_year,
  sums.period_number,
  periods.period_from_date,
  periods.period_to_date,
  sums.account_number,
  accounts.account_name,
  accounts.heading_name,
  sums.budget,
  sums.actual,
  sums.actual - sums.budget as difference
from sums
inner join {{ ref('stg_economic__accounting_periods') }} as periods
  on periods.agreement_number = sums.agreement_number
  and periods.accounting_year = sums.accounting_year
  and periods.period_number = sums.period_number
left join {{ ref('chart_of_accounts') }} as accounts
  on accounts.agreement_number = sums.agreement_number
  and accounts.account_number = sums.account_number
