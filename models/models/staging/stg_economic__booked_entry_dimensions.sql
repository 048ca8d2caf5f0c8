{{ raw('booked_entry_dimensions', [
  ('agreementNumber', 'agreement_number', 'integer'),
  ('entryNumber', 'entry_number', 'integer'),
  ('dimensionNumber', 'dimension_number', 'integer'),
  ('dimensionKey', 'dimension_key', 'integer'),
  ('isDistribution', 'is_distribution', 'boolean'),
], optional=true) }}
