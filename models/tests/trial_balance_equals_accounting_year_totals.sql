-- What the ledger adds up to is what e-conomic says it adds up to, per fiscal year and account.
with ends as (
  select agreement_number, accounting_year, max(period_to_date) as period_to_date
  from {{ ref('stg_economic__accounting_periods') }}
  group by agreement_number, accounting_year
),

-- with a start_date, the years before the first entry were not read
read_years as (
  select years.agreement_number, years.accounting_year
  from {{ ref('fiscal_years') }} as years
  inner join (
    select agreement_number, min(entry_date) as first_date
    from {{ ref('general_ledger') }}
    group by agreement_number
  ) as entries
    on entries.agreement_number = years.agreement_number
    and years.to_date >= entries.first_date
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
  inner join read_years
    on read_years.agreement_number = totals.agreement_number
    and read_years.accounting_year = totals.accounting_year
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
