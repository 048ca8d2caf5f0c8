-- Over all values of a dimension, those without one included, stands the ledger's movement.
with per_dimension as (
  select agreement_number, dimension_number, account_number, accounting_year, period_number,
    sum(movement) as movement
  from {{ ref('dimension_balances') }}
  group by agreement_number, dimension_number, account_number, accounting_year, period_number
)

select per_dimension.*, balance.movement as in_the_ledger
from per_dimension
inner join {{ ref('trial_balance') }} as balance
  on balance.agreement_number = per_dimension.agreement_number
  and balance.account_number = per_dimension.account_number
  and balance.accounting_year = per_dimension.accounting_year
  and balance.period_number = per_dimension.period_number
where balance.movement <> per_dimension.movement
