{{ raw('accounting_years', [
  ('agreementNumber', 'agreement_number', 'integer'),
  ('year', 'accounting_year', 'text'),
  ('fromDate', 'from_date', 'date'),
  ('toDate', 'to_date', 'date'),
  ('closed', 'is_closed', 'boolean'),
]) }}
