{# Each row whose columns are not null has a row with the same values in another model. #}
{% test refers_to(model, columns=none, to=none, to_columns=none, arguments=none) %}
{%- set columns = columns or arguments['columns'] -%}
{%- set to_columns = to_columns or arguments['to_columns'] -%}
select one.*
from {{ model }} as one
left join {{ to or arguments['to'] }} as other
  on {% for column in columns %}{{ "and " if not loop.first }}other.{{ to_columns[loop.index0] }} = one.{{ column }} {% endfor %}
where other.{{ to_columns[0] }} is null
  {% for column in columns %}and one.{{ column }} is not null {% endfor %}
{% endtest %}
