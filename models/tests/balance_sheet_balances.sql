-- Assets, debts and results add up to zero at the end of each period.
select agreement_number, accounting_year, period_number, sum(balance) as difference
from {{ ref('balance_sheet') }}
group by agreement_number, accounting_year, period_number
having sum(balance) <> 0
