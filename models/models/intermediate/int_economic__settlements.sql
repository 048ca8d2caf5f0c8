{#
  How much of an entry each entry matched with it has settled.

  e-conomic tells which entries settle one another, with the full amount of both, but not how much of
  it. This works it out: an entry with one match was settled by that alone, so the amount of that
  match is known for both sides; take it away, and others are left with one. A few rounds explain all
  matches but those that form a circle (two payments that both settle the same two invoices).
#}
{% set rounds = 5 %}

with both_ways as (
  select agreement_number, from_entry_number as entry_number, to_entry_number as partner_number
  from {{ ref('stg_economic__matched_entries') }}
  union all
  select agreement_number, to_entry_number as entry_number, from_entry_number as partner_number
  from {{ ref('stg_economic__matched_entries') }}
),

pairs as (
  select distinct agreement_number, entry_number, partner_number
  from both_ways
),

matches_0 as (
  select
    pairs.agreement_number,
    pairs.entry_number,
    pairs.partner_number,
    partner.entry_date as partner_date,
    entry.amount - entry.remainder as settled,
    entry.currency = partner.currency as same_currency,
    cast(null as {{ dbt.type_numeric() }}) as applied
  from pairs
  inner join {{ ref('stg_economic__booked_entries') }} as entry
    on entry.agreement_number = pairs.agreement_number
    and entry.entry_number = pairs.entry_number
  inner join {{ ref('stg_economic__booked_entries') }} as partner
    on partner.agreement_number = pairs.agreement_number
    and partner.entry_number = pairs.partner_number
)

{%- for round in range(1, rounds + 1) %},

known_{{ round }} as (
  select
    *,
    settled - sum(coalesce(applied, 0)) over (partition by agreement_number, entry_number) as rest,
    sum(case when applied is null then 1 else 0 end)
      over (partition by agreement_number, entry_number) as unknown
  from matches_{{ round - 1 }}
),

matches_{{ round }} as (
  select
    entry.agreement_number,
    entry.entry_number,
    entry.partner_number,
    entry.partner_date,
    entry.settled,
    entry.same_currency,
    coalesce(
      entry.applied,
      case
        when entry.unknown = 1 then entry.rest
        when partner.unknown = 1 and entry.same_currency then -partner.rest
      end
    ) as applied
  from known_{{ round }} as entry
  inner join known_{{ round }} as partner
    on partner.agreement_number = entry.agreement_number
    and partner.entry_number = entry.partner_number
    and partner.partner_number = entry.entry_number
)
{%- endfor %}

select agreement_number, entry_number, partner_number, partner_date, settled, applied
from matches_{{ rounds }}
