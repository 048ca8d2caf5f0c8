{#
  Primo against ultimo. Late vouchers in the year before leave the opening entries behind until
  somebody carries the balances over again.
#}
with opened as (
  select years.agreement_number, years.accounting_year, years.previous_year, before.to_date
  from {{ ref('fiscal_years') }} as years
  inner join {{ ref('fiscal_years') }} as before
    on before.agreement_number = years.agreement_number
    and before.accounting_year = years.previous_year
  -- with a start_date, the year before was not read
  inner join (
    select distinct agreement_number, accounting_year
    from {{ ref('trial_balance') }}
  ) as loaded
    on loaded.agreement_number = years.agreement_number
    and loaded.accounting_year = years.previous_year
  where years.has_opening_entries
),

both_sides as (
  select
    opened.agreement_number,
    opened.accounting_year,
    opened.previous_year,
    sheet.account_number,
    sheet.balance as closing_balance_before,
    0 as opening_balance
  from opened
  inner join {{ ref('balance_sheet') }} as sheet
    on sheet.agreement_number = opened.agreement_number
    and sheet.accounting_year = opened.previous_year
    and sheet.period_to_date = opened.to_date
  where sheet.line_type = 'account'
  union all
  select
    opened.agreement_number,
    opened.accounting_year,
    opened.previous_year,
    balance.account_number,
    0 as closing_balance_before,
    balance.opening_entries as opening_balance
  from opened
  inner join {{ ref('trial_balance') }} as balance
    on balance.agreement_number = opened.agreement_number
    and balance.accounting_year = opened.accounting_year
  where balance.account_type = 'status'
),

sums as (
  select
    agreement_number,
    accounting_year,
    previous_year,
    account_number,
    sum(closing_balance_before) as closing_balance_before,
    sum(opening_balance) as opening_balance
  from both_sides
  group by agreement_number, accounting_year, previous_year, account_number
)

select
  sums.agreement_number,
  sums.accounting_year,
  sums.previous_year,
  sums.account_number,
  accounts.account_name,
  sums.closing_balance_before,
  sums.opening_balance,
  sums.opening_balance - sums.closing_balance_before as difference
from sums
left join {{ ref('chart_of_accounts') }} as accounts
  on accounts.agreement_number = sums.agreement_number
  and accounts.account_number = sums.account_number
where sums.closing_balance_before <> 0 or sums.opening_balance <> 0
