{{ open_items('supplier', -1) }}
