with sums as (
  select
    agreement_number,
    accounting_year,
    period_number,
    account_number,
    sum(case when is_opening then amount_in_base_currency else 0 end) as opening_entries,
    sum(case when is_opening then 0 else debit end) as debit,
    sum(case when is_opening then 0 else credit end) as credit
  from {{ ref('general_ledger') }}
  group by agreement_number, accounting_year, period_number, account_number
),

account_years as (
  select distinct agreement_number, accounting_year, account_number
  from sums
),

filled as (
  select
    account_years.agreement_number,
    account_years.accounting_year,
    periods.period_number,
    periods.period_from_date,
    periods.period_to_date,
    account_years.account_number,
    coalesce(sums.opening_entries, 0) as opening_entries,
    coalesce(sums.debit, 0) as debit,
    coalesce(sums.credit, 0) as credit
  from account_years
  inner join {{ ref('stg_economic__accounting_periods') }} as periods
    on periods.agreement_number = account_years.agreement_number
    and periods.accounting_year = account_years.accounting_year
  left join sums
    on sums.agreement_number = account_years.agreement_number
    and sums.accounting_year = account_years.accounting_year
    and sums.period_number = periods.period_number
    and sums.account_number = account_years.account_number
),

running as (
  select
    *,
    sum(opening_entries + debit - credit) over (
      partition by agreement_number, accounting_year, account_number
      order by period_from_date rows between unbounded preceding and current row
    ) as closing_balance
  from filled
)

select
  running.agreement_number,
  running.accounting_year,
  running.period_number,
  running.period_from_date,
  running.period_to_date,
  running.account_number,
  accounts.account_name,
  accounts.account_type,
  running.opening_entries,
  running.closing_balance - running.debit + running.credit as opening_balance,
  running.debit,
  running.credit,
  running.debit - running.credit as movement,
  running.closing_balance
from running
left join {{ ref('stg_economic__accounts') }} as accounts
  on accounts.agreement_number = running.agreement_number
  and accounts.account_number = running.account_number
