-- Joins neither lose nor repeat a booked entry: same count, same sum, per company.
with raw_entries as (
  select agreement_number, count(*) as entries, sum(amount_in_base_currency) as amount
  from {{ ref('stg_economic__booked_entries') }}
  group by agreement_number
),

ledger as (
  select agreement_number, count(*) as entries, sum(amount_in_base_currency) as amount
  from {{ ref('general_ledger') }}
  group by agreement_number
)

select raw_entries.agreement_number, raw_entries.entries, ledger.entries as entries_in_ledger
from raw_entries
left join ledger on ledger.agreement_number = raw_entries.agreement_number
where ledger.entries is null
  or ledger.entries <> raw_entries.entries
  or ledger.amount <> raw_entries.amount
