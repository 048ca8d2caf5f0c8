select
  balance.agreement_number,
  balance.accounting_year,
  balance.period_number,
  balance.period_from_date,
  balance.period_to_date,
  balance.account_number,
  balance.account_name,
  accounts.section_name,
  accounts.heading_name,
  -balance.movement as result,
  -balance.closing_balance as result_year_to_date
from {{ ref('trial_balance') }} as balance
inner join {{ ref('chart_of_accounts') }} as accounts
  on accounts.agreement_number = balance.agreement_number
  and accounts.account_number = balance.account_number
where balance.account_type = 'profitAndLoss'
