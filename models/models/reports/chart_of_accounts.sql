{#
  The chart is a list without levels: RESULTATOPGØRELSE and Omsætning below it are both headings. A
  heading that another heading follows at once stands above a section. A heading reaches until the
  total (sum fra) that adds up from it or from before it, so that wages do not stand below the goods.
#}
with followed as (
  select
    agreement_number,
    account_number,
    account_type,
    lead(account_type) over (partition by agreement_number order by account_number) as next_type,
    lead(account_number) over (partition by agreement_number order by account_number) as next_number
  from {{ ref('stg_economic__accounts') }}
),

headings as (
  select
    agreement_number,
    account_number,
    coalesce(next_type in ('heading', 'headingStart'), false) as is_above_a_heading,
    -- the last account from which a total may begin to close it
    case when next_type in ('heading', 'headingStart') then account_number else next_number end
      as first_number
  from followed
  where account_type in ('heading', 'headingStart')
),

closed as (
  select headings.agreement_number, headings.account_number, min(totals.account_number) as last_number
  from headings
  inner join {{ ref('stg_economic__accounts') }} as totals
    on totals.agreement_number = headings.agreement_number
    and totals.account_number > headings.account_number
    and totals.total_from_account_number <= headings.first_number
  where totals.account_type = 'totalFrom'
  group by headings.agreement_number, headings.account_number
),

places as (
  select
    accounts.agreement_number,
    accounts.account_number,
    max(case when headings.is_above_a_heading then headings.account_number end) as section_number,
    max(headings.account_number) as heading_number
  from {{ ref('stg_economic__accounts') }} as accounts
  inner join headings
    on headings.agreement_number = accounts.agreement_number
    and headings.account_number <= accounts.account_number
  left join closed
    on closed.agreement_number = headings.agreement_number
    and closed.account_number = headings.account_number
  where closed.last_number is null or closed.last_number >= accounts.account_number
  group by accounts.agreement_number, accounts.account_number
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
from {{ ref('stg_economic__accounts') }} as accounts
left join places
  on places.agreement_number = accounts.agreement_number
  and places.account_number = accounts.account_number
left join {{ ref('stg_economic__accounts') }} as sections
  on sections.agreement_number = places.agreement_number
  and sections.account_number = places.section_number
left join {{ ref('stg_economic__accounts') }} as headings
  on headings.agreement_number = places.agreement_number
  and headings.account_number = places.heading_number
