{#
  When a closed year is opened again, e-conomic leaves the opening entries of the year after it and
  books others that reverse them. What is carried over is what is left of both.
#}
with carried_over as (
  select agreement_number, accounting_year, account_number
  from {{ ref('general_ledger') }}
  where is_opening
  group by agreement_number, accounting_year, account_number
  having sum(amount_in_base_currency) <> 0
),

opened as (
  select distinct agreement_number, accounting_year
  from carried_over
),

years as (
  select
    years.*,
    opened.accounting_year is not null as has_opening_entries,
    lag(years.accounting_year) over (
      partition by years.agreement_number order by years.from_date
    ) as previous_year
  from {{ ref('stg_economic__accounting_years') }} as years
  left join opened
    on opened.agreement_number = years.agreement_number
    and opened.accounting_year = years.accounting_year
)

select
  agreement_number,
  accounting_year,
  from_date,
  to_date,
  is_closed,
  previous_year,
  has_opening_entries,
  max(case when has_opening_entries or previous_year is null then from_date end) over (
    partition by agreement_number order by from_date
    rows between unbounded preceding and current row
  ) as balances_from_date
from years
