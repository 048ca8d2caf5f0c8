{{ raw('accounts', [
  ('agreementNumber', 'agreement_number', 'integer'),
  ('accountNumber', 'account_number', 'integer'),
  ('name', 'account_name', 'text'),
  ('accountType', 'account_type', 'text'),
  ('debitCredit', 'normal_side', 'text'),
  ('vatCode', 'vat_code', 'text'),
  ('totalFromAccountNumber', 'total_from_account_number', 'integer'),
  ('barred', 'is_barred', 'boolean'),
  ('blockDirectEntries', 'is_blocked_for_direct_entries', 'boolean'),
]) }}
