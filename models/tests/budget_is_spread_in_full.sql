-- A warning where a budget figure lies, in whole or in part, outside the fiscal years there are.
{{ config(severity='warn') }}
with spread as (
  select agreement_number, budget_figure_number, sum(budget) as budget
  from {{ ref('int_economic__budget_periods') }}
  group by agreement_number, budget_figure_number
)

select figures.*, spread.budget
from {{ ref('stg_economic__budget_figures') }} as figures
left join spread
  on spread.agreement_number = figures.agreement_number
  and spread.budget_figure_number = figures.budget_figure_number
where coalesce(spread.budget, 0) <> figures.amount_in_base_currency
