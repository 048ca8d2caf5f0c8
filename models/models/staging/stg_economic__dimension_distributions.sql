{{ raw('dimension_distributions', [
  ('agreementNumber', 'agreement_number', 'integer'),
  ('dimensionNumber', 'dimension_number', 'integer'),
  ('key', 'distribution_key', 'integer'),
  ('name', 'distribution_name', 'text'),
], optional=true) }}
