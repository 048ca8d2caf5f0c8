{{ ageing('supplier', 'payables_open_items') }}
