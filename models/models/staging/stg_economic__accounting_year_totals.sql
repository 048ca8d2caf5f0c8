{{ raw('accounting_year_totals', [
  ('agreementNumber', 'agreement_number', 'integer'),
  ('accountingYear', 'accounting_year', 'text'),
  ('accountNumber', 'account_number', 'integer'),
  ('totalInBaseCurrency', 'total_in_base_currency', 'decimal'),
]) }}
