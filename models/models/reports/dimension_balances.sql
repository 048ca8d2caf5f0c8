{# Every entry once per dimension; what carries a distribution is split, the last part takes the øre. #}
with marked as (
  select
    ledger.agreement_number,
    ledger.entry_number,
    ledger.accounting_year,
    ledger.period_number,
    ledger.account_number,
    ledger.account_name,
    ledger.account_type,
    ledger.amount_in_base_currency as amount,
    dimensions.dimension_number,
    dimensions.dimension,
    coalesce(parts.dimension_key, marks.dimension_key) as dimension_key,
    case when parts.dimension_key is null then marks.dimension_name else choices.dimension_name end
      as dimension_name,
    coalesce(marks.is_distribution and parts.dimension_key is null, false) as is_distribution,
    coalesce(parts.percentage, 100) as percentage
  from {{ ref('general_ledger') }} as ledger
  inner join {{ ref('stg_economic__dimensions') }} as dimensions
    on dimensions.agreement_number = ledger.agreement_number
  left join {{ ref('int_economic__entry_dimensions') }} as marks
    on marks.agreement_number = ledger.agreement_number
    and marks.entry_number = ledger.entry_number
    and marks.dimension_number = dimensions.dimension_number
  left join {{ ref('stg_economic__distribution_parts') }} as parts
    on marks.is_distribution
    and parts.agreement_number = marks.agreement_number
    and parts.dimension_number = marks.dimension_number
    and parts.distribution_key = marks.dimension_key
  left join {{ ref('stg_economic__dimension_values') }} as choices
    on choices.agreement_number = parts.agreement_number
    and choices.dimension_number = parts.dimension_number
    and choices.dimension_key = parts.dimension_key
  where not ledger.is_opening
),

running as (
  select
    *,
    sum(percentage) over (
      partition by agreement_number, entry_number, dimension_number
      order by dimension_key rows between unbounded preceding and current row
    ) as percentage_so_far,
    sum(percentage) over (
      partition by agreement_number, entry_number, dimension_number
    ) as percentage_in_all
  from marked
),

split as (
  select
    *,
    case when percentage = percentage_in_all then amount else
      {{ visma_economic.portion('amount', 'percentage_so_far', 'percentage_in_all') }}
      - {{ visma_economic.portion('amount', 'percentage_so_far - percentage', 'percentage_in_all') }}
    end as part
  from running
)

select
  agreement_number,
  accounting_year,
  period_number,
  dimension_number,
  dimension,
  dimension_key,
  coalesce(dimension_name, '(none)') as dimension_name,
  is_distribution,
  account_number,
  account_name,
  account_type,
  sum(part) as movement
from split
group by 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11
