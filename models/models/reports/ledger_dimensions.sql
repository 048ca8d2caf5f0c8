with pivoted as (
  select
    agreement_number,
    entry_number,
    {{ dimension_columns(var('dimension_numbers', [1, 2])) }}
  from {{ ref('int_economic__entry_dimensions') }}
  group by agreement_number, entry_number
)

select
  ledger.agreement_number,
  ledger.entry_number,
  ledger.accounting_year,
  ledger.period_number,
  ledger.entry_date,
  ledger.voucher_number,
  ledger.is_opening,
  ledger.account_number,
  ledger.account_name,
  ledger.account_type,
  ledger.entry_text,
  ledger.amount_in_base_currency
  {%- for number in var('dimension_numbers', [1, 2]) %},
  pivoted.dimension_{{ number | int }}_key,
  pivoted.dimension_{{ number | int }}_name,
  coalesce(pivoted.dimension_{{ number | int }}_is_distribution, false)
    as dimension_{{ number | int }}_is_distribution
  {%- endfor %}
from {{ ref('general_ledger') }} as ledger
left join pivoted
  on pivoted.agreement_number = ledger.agreement_number
  and pivoted.entry_number = ledger.entry_number
