-- Where the tap's start_date left out earlier years, the first year that was read must begin with
-- opening entries: else its balances, and those of later years, lack what came before.
with first_entries as (
  select agreement_number, min(entry_date) as first_date
  from {{ ref('general_ledger') }}
  group by agreement_number
),

first_years as (
  select years.agreement_number, years.accounting_year, years.from_date, years.has_opening_entries
  from {{ ref('fiscal_years') }} as years
  inner join first_entries
    on first_entries.agreement_number = years.agreement_number
    and first_entries.first_date between years.from_date and years.to_date
)

select
  first_years.agreement_number,
  first_years.accounting_year,
  count(*) as totals_before
from first_years
inner join {{ ref('fiscal_years') }} as earlier
  on earlier.agreement_number = first_years.agreement_number
  and earlier.to_date < first_years.from_date
inner join {{ ref('stg_economic__accounting_year_totals') }} as totals
  on totals.agreement_number = earlier.agreement_number
  and totals.accounting_year = earlier.accounting_year
where not first_years.has_opening_entries
  and totals.total_in_base_currency <> 0
group by first_years.agreement_number, first_years.accounting_year
