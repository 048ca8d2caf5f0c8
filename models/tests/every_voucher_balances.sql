-- Each voucher (bilag) adds up to zero.
select agreement_number, accounting_year, voucher_number, sum(amount_in_base_currency) as difference
from {{ ref('general_ledger') }}
group by agreement_number, accounting_year, voucher_number
having sum(amount_in_base_currency) <> 0
