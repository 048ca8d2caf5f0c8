-- Each fiscal year adds up to zero, its opening entries included.
select agreement_number, accounting_year, sum(amount_in_base_currency) as difference
from {{ ref('general_ledger') }}
group by agreement_number, accounting_year
having sum(amount_in_base_currency) <> 0
