{{ raw('matched_entries', [
  ('agreementNumber', 'agreement_number', 'integer'),
  ('fromEntry', 'from_entry_number', 'integer'),
  ('toEntry', 'to_entry_number', 'integer'),
], optional=true) }}
