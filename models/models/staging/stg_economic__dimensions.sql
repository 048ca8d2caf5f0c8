{{ raw('dimensions', [
  ('agreementNumber', 'agreement_number', 'integer'),
  ('number', 'dimension_number', 'integer'),
  ('name', 'dimension', 'text'),
  ('active', 'is_active', 'boolean'),
], optional=true) }}
