{{ raw('accounting_periods', [
  ('agreementNumber', 'agreement_number', 'integer'),
  ('accountingYear', 'accounting_year', 'text'),
  ('periodNumber', 'period_number', 'integer'),
  ('fromDate', 'period_from_date', 'date'),
  ('toDate', 'period_to_date', 'date'),
  ('closed', 'is_closed', 'boolean'),
]) }}
