{#
  Budget figures (budgettal) spread over the periods they touch: each whole period of a figure gets an
  equal part, a period it covers in part gets less. The parts add up to the figure to the øre. A figure
  that reaches beyond the fiscal years there are is spread by days, and what lies outside is left out.
#}
with touched as (
  select
    figures.agreement_number,
    figures.budget_figure_number,
    figures.account_number,
    figures.amount_in_base_currency as amount,
    periods.accounting_year,
    periods.period_number,
    periods.period_from_date,
    {{ dbt.datediff('figures.from_date', 'figures.to_date', 'day') }} + 1 as figure_days,
    {{ dbt.datediff('periods.period_from_date', 'periods.period_to_date', 'day') }} + 1 as period_days,
    {{ dbt.datediff(
      'case when figures.from_date > periods.period_from_date then figures.from_date else periods.period_from_date end',
      'case when figures.to_date < periods.period_to_date then figures.to_date else periods.period_to_date end',
      'day'
    ) }} + 1 as days
  from {{ ref('stg_economic__budget_figures') }} as figures
  inner join {{ ref('stg_economic__accounting_periods') }} as periods
    on periods.agreement_number = figures.agreement_number
    and periods.period_from_date <= figures.to_date
    and periods.period_to_date >= figures.from_date
),

covered as (
  select
    *,
    sum(days) over (partition by agreement_number, budget_figure_number) as covered_days
  from touched
),

weighted as (
  select
    *,
    case
      when covered_days < figure_days then cast(days as {{ dbt.type_numeric() }})
      else {{ visma_economic.portion('10000', 'days', 'period_days') }}
    end as weight
  from covered
),

running as (
  select
    *,
    sum(weight) over (
      partition by agreement_number, budget_figure_number
      order by period_from_date rows between unbounded preceding and current row
    ) as weight_so_far,
    case
      when covered_days < figure_days then cast(figure_days as {{ dbt.type_numeric() }})
      else sum(weight) over (partition by agreement_number, budget_figure_number)
    end as weight_in_all
  from weighted
)

select
  agreement_number,
  budget_figure_number,
  account_number,
  accounting_year,
  period_number,
  {{ visma_economic.portion('amount', 'weight_so_far', 'weight_in_all') }}
    - {{ visma_economic.portion('amount', 'weight_so_far - weight', 'weight_in_all') }} as budget
from running
