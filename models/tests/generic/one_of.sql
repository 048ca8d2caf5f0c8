{# The column holds one of these values, or null. #}
{% test one_of(model, column_name, values=none, arguments=none) %}
select {{ column_name }}, count(*) as row_count
from {{ model }}
where {{ column_name }} not in (
  {%- for value in values or arguments['values'] -%}
    {{ dbt.string_literal(value) if value is string else value }}{{ ", " if not loop.last }}
  {%- endfor -%}
)
group by {{ column_name }}
{% endtest %}
