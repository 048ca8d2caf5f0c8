{{ ageing('customer', 'receivables_open_items') }}
