{{ raw('customers', [
  ('agreementNumber', 'agreement_number', 'integer'),
  ('customerNumber', 'customer_number', 'integer'),
  ('name', 'customer_name', 'text'),
], optional=true) }}
