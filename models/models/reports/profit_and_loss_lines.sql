{#
  Every line in every period, also where nothing was booked: else a month without sales would have no
  year before. The year before is found by date, so it is right in broken and long fiscal years too.
#}
with lines as (
  select agreement_number, account_number
  from {{ ref('int_economic__statement_lines') }}
  group by agreement_number, account_number
  having sum(case when member_account_type = 'status' then 1 else 0 end) = 0
),

used as (
  select distinct agreement_number, account_number
  from {{ ref('trial_balance') }}
),

members as (
  select
    members.agreement_number,
    members.account_number,
    members.member_account_number
  from {{ ref('int_economic__statement_lines') }} as members
  inner join lines
    on lines.agreement_number = members.agreement_number
    and lines.account_number = members.account_number
  inner join used
    on used.agreement_number = members.agreement_number
    and used.account_number = members.member_account_number
),

moved as (
  select
    balance.agreement_number,
    balance.accounting_year,
    balance.period_number,
    members.account_number,
    -sum(balance.movement) as result,
    -sum(balance.movement + balance.opening_entries) as with_opening
  from {{ ref('trial_balance') }} as balance
  inner join members
    on members.agreement_number = balance.agreement_number
    and members.member_account_number = balance.account_number
  where balance.movement <> 0 or balance.opening_entries <> 0
  group by balance.agreement_number, balance.accounting_year, balance.period_number, members.account_number
),

results as (
  select
    periods.agreement_number,
    periods.accounting_year,
    periods.period_number,
    periods.period_from_date,
    periods.period_to_date,
    years.from_date as year_from_date,
    used_lines.account_number,
    coalesce(moved.result, 0) as result,
    coalesce(moved.with_opening, 0) as with_opening
  from {{ ref('stg_economic__accounting_periods') }} as periods
  inner join {{ ref('fiscal_years') }} as years
    on years.agreement_number = periods.agreement_number
    and years.accounting_year = periods.accounting_year
  inner join (select distinct agreement_number, account_number from members) as used_lines
    on used_lines.agreement_number = periods.agreement_number
  left join moved
    on moved.agreement_number = periods.agreement_number
    and moved.accounting_year = periods.accounting_year
    and moved.period_number = periods.period_number
    and moved.account_number = used_lines.account_number
),

running as (
  select
    *,
    cast({{ dbt.dateadd('year', -1, 'period_from_date') }} as date) as from_date_last_year,
    cast({{ dbt.dateadd('year', -1, 'year_from_date') }} as date) as year_from_date_last_year,
    sum(with_opening) over (
      partition by agreement_number, accounting_year, account_number
      order by period_from_date rows between unbounded preceding and current row
    ) as year_to_date,
    sum(with_opening) over (
      partition by agreement_number, account_number
      order by period_from_date rows between unbounded preceding and current row
    ) as ever
  from results
)

select
  running.agreement_number,
  running.accounting_year,
  running.period_number,
  running.period_from_date,
  running.period_to_date,
  running.account_number,
  accounts.account_name,
  case when accounts.account_type = 'profitAndLoss' then 'account' else 'total' end as line_type,
  accounts.section_name,
  accounts.heading_name,
  running.result,
  running.year_to_date as result_year_to_date,
  last_year.result as result_last_year,
  last_year.ever - last_years_start.ever + last_years_start.with_opening as result_last_year_to_date
from running
inner join {{ ref('chart_of_accounts') }} as accounts
  on accounts.agreement_number = running.agreement_number
  and accounts.account_number = running.account_number
left join running as last_year
  on last_year.agreement_number = running.agreement_number
  and last_year.account_number = running.account_number
  and last_year.period_from_date = running.from_date_last_year
left join running as last_years_start
  on last_years_start.agreement_number = running.agreement_number
  and last_years_start.account_number = running.account_number
  and last_years_start.period_from_date = running.year_from_date_last_year
