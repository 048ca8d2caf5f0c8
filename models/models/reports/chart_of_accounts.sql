with numbered as (
  select
    *,
    max(case when account_type = 'heading' then account_number end)
      over (
        partition by agreement_number order by account_number
        rows between unbounded preceding and current row
      ) as section_number,
    max(case when account_type in ('heading', 'headingStart') then account_number end)
      over (
        partition by agreement_number order by account_number
        rows between unbounded preceding and current row
      ) as heading_number
  from {{ ref('stg_economic__accounts') }}
)

select
  accounts.agreement_number,
  accounts.account_number,
  accounts.account_name,
  accounts.account_type,
  case accounts.account_type
    when 'profitAndLoss' then 'profit and loss'
    when 'status' then 'balance sheet'
  end as statement,
  accounts.normal_side,
  sections.account_name as section_name,
  headings.account_name as heading_name,
  accounts.total_from_account_number,
  accounts.vat_code,
  accounts.is_barred,
  accounts.is_blocked_for_direct_entries
from numbered as accounts
left join {{ ref('stg_economic__accounts') }} as sections
  on sections.agreement_number = accounts.agreement_number
  and sections.account_number = accounts.section_number
left join {{ ref('stg_economic__accounts') }} as headings
  on headings.agreement_number = accounts.agreement_number
  and headings.account_number = accounts.heading_number
