{#
  No two rows have the same values in all these columns.

  Up to dbt 1.10, `arguments` in a schema file is not unpacked; so it is taken as it comes.
#}
{% test unique_together(model, columns=none, arguments=none) %}
{%- set columns = columns or arguments['columns'] -%}
select {{ columns | join(', ') }}, count(*) as row_count
from {{ model }}
group by {{ columns | join(', ') }}
having count(*) > 1
{% endtest %}
