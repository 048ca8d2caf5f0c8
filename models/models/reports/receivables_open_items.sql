{{ open_items('customer', 1) }}
