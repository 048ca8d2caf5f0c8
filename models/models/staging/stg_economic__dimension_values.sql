{{ raw('dimension_values', [
  ('agreementNumber', 'agreement_number', 'integer'),
  ('dimensionNumber', 'dimension_number', 'integer'),
  ('key', 'dimension_key', 'integer'),
  ('name', 'dimension_name', 'text'),
], optional=true) }}
