-- What the ledger adds up to is what e-conomic says it adds up to, per fiscal year and account.
with ends as (
  select agreement_number, accounting_year, max(period_to_date) as period_to_date
  from {{ ref('stg_economic__accounting_periods') }}
  group by agreement_number, accounting_year
),

both_sides as (
  select balance.agreement_number, balance.accounting_year, balance.account_number,
    balance.closing_balance as ledger, 0 as control
  from {{ ref('trial_balance') }} as balance
  inner join ends
    on ends.agreement_number = balance.agreement_number
    and ends.accounting_year = balance.accounting_year
    and ends.period_to_date = balance.period_to_date
  union all
  select totals.agreement_number, totals.accounting_year, totals.account_number,
    0 as ledger, totals.total_in_base_currency as control
  from {{ ref('stg_economic__accounting_year_totals') }} as totals
  inner join {{ ref('chart_of_accounts') }} as accounts
    on accounts.agreement_number = totals.agreement_number
    and accounts.account_number = totals.account_number
  -- accounts that add up others have totals, but no entries of their own
  where accounts.statement is not null
)

select agreement_number, accounting_year, account_number, sum(ledger) as ledger, sum(control) as control
from both_sides
group by agreement_number, accounting_year, account_number
having sum(ledger) <> sum(control)
