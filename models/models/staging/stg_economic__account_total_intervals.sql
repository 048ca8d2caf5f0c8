{{ raw('account_total_intervals', [
  ('agreementNumber', 'agreement_number', 'integer'),
  ('accountNumber', 'account_number', 'integer'),
  ('fromAccountNumber', 'from_account_number', 'integer'),
  ('toAccountNumber', 'to_account_number', 'integer'),
], optional=true) }}
