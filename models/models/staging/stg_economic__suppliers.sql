{{ raw('suppliers', [
  ('agreementNumber', 'agreement_number', 'integer'),
  ('supplierNumber', 'supplier_number', 'integer'),
  ('name', 'supplier_name', 'text'),
], optional=true) }}
