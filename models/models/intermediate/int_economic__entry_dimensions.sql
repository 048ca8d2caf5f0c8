{# What is marked on booked entries, with the names of the values and distributions. #}
select
  marks.agreement_number,
  marks.entry_number,
  marks.dimension_number,
  marks.dimension_key,
  coalesce(marks.is_distribution, false) as is_distribution,
  case when marks.is_distribution then splits.distribution_name else choices.dimension_name end
    as dimension_name
from {{ ref('stg_economic__booked_entry_dimensions') }} as marks
left join {{ ref('stg_economic__dimension_values') }} as choices
  on choices.agreement_number = marks.agreement_number
  and choices.dimension_number = marks.dimension_number
  and choices.dimension_key = marks.dimension_key
left join {{ ref('stg_economic__dimension_distributions') }} as splits
  on splits.agreement_number = marks.agreement_number
  and splits.dimension_number = marks.dimension_number
  and splits.distribution_key = marks.dimension_key
