{# The day for which open items are aged, as a date literal: the variable, or today in Denmark. #}
{% macro as_of_date() %}
  {%- set given = var('as_of_date', none) -%}
  {%- if given -%}
    {%- set day = modules.datetime.datetime.strptime(given | string, '%Y-%m-%d') -%}
  {%- else -%}
    {%- set day = run_started_at.astimezone(modules.pytz.timezone('Europe/Copenhagen')) -%}
  {%- endif -%}
  cast('{{ day.strftime("%Y-%m-%d") }}' as date)
{%- endmacro %}
