select
  entries.agreement_number,
  entries.entry_number,
  periods.accounting_year,
  periods.period_number,
  entries.entry_date,
  entries.voucher_number,
  entries.entry_type,
  case entries.entry_type
    when 1 then 'customer invoice'
    when 2 then 'customer payment'
    when 3 then 'supplier invoice'
    when 4 then 'supplier payment'
    when 5 then 'finance voucher'
    when 6 then 'reminder'
    when 7 then 'opening entry'
    when 8 then 'transferred opening entry'
    when 9 then 'system entry'
    when 10 then 'manual customer invoice'
  end as entry_type_name,
  coalesce(entries.entry_type in (7, 8), false) as is_opening,
  entries.account_number,
  accounts.account_name,
  accounts.account_type,
  entries.entry_text,
  entries.amount_in_base_currency,
  case when entries.amount_in_base_currency > 0 then entries.amount_in_base_currency else 0 end as debit,
  case when entries.amount_in_base_currency < 0 then -entries.amount_in_base_currency else 0 end as credit,
  entries.currency,
  entries.amount,
  entries.remainder,
  entries.vat_code,
  entries.due_date,
  entries.customer_number,
  customers.customer_name,
  entries.supplier_number,
  suppliers.supplier_name,
  coalesce(
    cast(entries.customer_invoice_number as {{ dbt.type_string() }}), entries.supplier_invoice_number
  ) as invoice_number,
  entries.project_number
from {{ ref('stg_economic__booked_entries') }} as entries
left join {{ ref('stg_economic__accounting_periods') }} as periods
  on periods.agreement_number = entries.agreement_number
  and entries.entry_date between periods.period_from_date and periods.period_to_date
left join {{ ref('stg_economic__accounts') }} as accounts
  on accounts.agreement_number = entries.agreement_number
  and accounts.account_number = entries.account_number
left join {{ ref('stg_economic__customers') }} as customers
  on customers.agreement_number = entries.agreement_number
  and customers.customer_number = entries.customer_number
left join {{ ref('stg_economic__suppliers') }} as suppliers
  on suppliers.agreement_number = entries.agreement_number
  and suppliers.supplier_number = entries.supplier_number
