{#
  Until somebody opens a fiscal year, e-conomic has no opening entries in it, and the balances still
  stand in the year before. So each year adds up from the latest opened one, balances_from_date.
#}
with sums as (
  select
    periods.agreement_number,
    periods.accounting_year,
    periods.period_number,
    periods.period_from_date,
    periods.period_to_date,
    case
      when balance.account_type = 'status' then 'account'
      when balance.accounting_year = periods.accounting_year then 'result of the year'
      else 'result not transferred'
    end as line_type,
    case when balance.account_type = 'status' then balance.account_number end as account_number,
    sum(balance.opening_entries + balance.movement) as balance
  from {{ ref('stg_economic__accounting_periods') }} as periods
  inner join {{ ref('fiscal_years') }} as years
    on years.agreement_number = periods.agreement_number
    and years.accounting_year = periods.accounting_year
  inner join {{ ref('trial_balance') }} as balance
    on balance.agreement_number = periods.agreement_number
    and balance.period_from_date >= years.balances_from_date
    and balance.period_to_date <= periods.period_to_date
  group by 1, 2, 3, 4, 5, 6, 7
)

select
  sums.agreement_number,
  sums.accounting_year,
  sums.period_number,
  sums.period_from_date,
  sums.period_to_date,
  sums.line_type,
  sums.account_number,
  coalesce(accounts.account_name, sums.line_type) as line_name,
  accounts.section_name,
  accounts.heading_name,
  sums.balance
from sums
left join {{ ref('chart_of_accounts') }} as accounts
  on accounts.agreement_number = sums.agreement_number
  and accounts.account_number = sums.account_number
