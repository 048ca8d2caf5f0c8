{#
  The entries of customers or suppliers that were open at the end of the as-of date.

  An entry counts as settled by another on the later of the two dates. What was open is what is open
  now plus what was settled by entries dated after the as-of date. Where that cannot be told exactly
  (is_exact is false), what remains to be explained is shared out evenly; where nothing tells what
  settled an entry, it counts as settled then as it is now.

  Args:
    party: customer or supplier.
    sign: 1, or -1 so that what the company owes is positive.
#}
{% macro open_items(party, sign) %}
{%- set in_the_past = visma_economic.as_of_day() < visma_economic.today() -%}
{%- if in_the_past and execute and load_relation(source('economic', 'matched_entries')) is none -%}
  {%- do exceptions.warn(
    "visma_economic: there is no table matched_entries, so what was open on " ~ visma_economic.as_of_day()
    ~ " is not known: entries that were settled later are missing. Select that stream in the tap."
  ) -%}
{%- endif %}
with entries as (
  select *
  from {{ ref('general_ledger') }}
  where {{ party }}_number is not null
    and account_type = 'status'
    and entry_date <= {{ visma_economic.as_of_date() }}
),

settled as (
  select
    agreement_number,
    entry_number,
    count(*) as matches,
    sum(case when is_later then 1 else 0 end) as later,
    sum(case when is_later then coalesce(applied, 0) else 0 end) as applied_later,
    sum(case when applied is null then 1 else 0 end) as unknown,
    sum(case when applied is null and is_later then 1 else 0 end) as unknown_later,
    max(settled) - sum(coalesce(applied, 0)) as rest
  from (
    select *, partner_date > {{ visma_economic.as_of_date() }} as is_later
    from {{ ref('int_economic__settlements') }}
  ) as settlements
  group by agreement_number, entry_number
),

open_then as (
  select
    entries.*,
    case
      when coalesce(settled.later, 0) = 0 then entries.remainder
      when settled.later = settled.matches then entries.amount
      when settled.unknown_later = 0 then entries.remainder + settled.applied_later
      else entries.remainder + settled.applied_later
        + {{ visma_economic.portion('settled.rest', 'settled.unknown_later', 'settled.unknown') }}
    end as open_amount,
    {% if in_the_past -%}
    case
      when settled.matches is null then entries.remainder = entries.amount
      else settled.later in (0, settled.matches) or settled.rest = 0
    end
    {%- else -%}
    coalesce(settled.later, 0) in (0, coalesce(settled.matches, 0)) or settled.rest = 0
    {%- endif %} as is_exact
  from entries
  left join settled
    on settled.agreement_number = entries.agreement_number
    and settled.entry_number = entries.entry_number
),

in_base as (
  select
    open_then.*,
    case
      when open_amount = amount then amount_in_base_currency
      else {{ visma_economic.portion('amount_in_base_currency', 'open_amount', 'amount') }}
    end as open_amount_in_base_currency
  from open_then
  where open_amount <> 0
)

select
  agreement_number,
  entry_number,
  {{ visma_economic.as_of_date() }} as as_of_date,
  {{ party }}_number,
  {{ party }}_name,
  account_number,
  entry_type,
  entry_type_name,
  invoice_number,
  voucher_number,
  entry_date,
  due_date,
  case
    when coalesce(due_date, entry_date) >= {{ visma_economic.as_of_date() }} then 0
    else {{ dbt.datediff('coalesce(due_date, entry_date)', visma_economic.as_of_date(), 'day') }}
  end as days_overdue,
  currency,
  {{ sign }} * amount as amount,
  {{ sign }} * open_amount as open_amount,
  {{ sign }} * open_amount_in_base_currency as open_amount_in_base_currency,
  is_exact
from in_base
{% endmacro %}


{#
  One line per customer or supplier: what is open, by how many days it is overdue.

  Args:
    party: customer or supplier.
    items: the model with the open items.
#}
{% macro ageing(party, items) %}
{%- set open = 'open_amount_in_base_currency' %}
select
  agreement_number,
  {{ party }}_number,
  max({{ party }}_name) as {{ party }}_name,
  max(as_of_date) as as_of_date,
  sum({{ open }}) as total,
  sum(case when days_overdue = 0 then {{ open }} else 0 end) as not_due,
  {%- for first, last in [(1, 30), (31, 60), (61, 90)] %}
  sum(case when days_overdue between {{ first }} and {{ last }} then {{ open }} else 0 end)
    as overdue_{{ first }}_to_{{ last }},
  {%- endfor %}
  sum(case when days_overdue > 90 then {{ open }} else 0 end) as overdue_over_90,
  count(*) as open_items,
  sum(case when is_exact then 0 else 1 end) as items_not_exact
from {{ ref(items) }}
group by agreement_number, {{ party }}_number
{% endmacro %}
