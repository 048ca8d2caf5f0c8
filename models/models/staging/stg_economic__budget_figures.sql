{{ raw('budget_figures', [
  ('agreementNumber', 'agreement_number', 'integer'),
  ('number', 'budget_figure_number', 'integer'),
  ('accountNumber', 'account_number', 'integer'),
  ('fromDate', 'from_date', 'date'),
  ('toDate', 'to_date', 'date'),
  ('amountDefaultCurrency', 'amount_in_base_currency', 'decimal'),
], optional=true) }}
