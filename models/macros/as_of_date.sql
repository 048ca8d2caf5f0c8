{# The day for which open items are aged, as a date literal: the variable, or today in Denmark. #}
{% macro as_of_date() %}
  {{- "cast('" ~ visma_economic.as_of_day() ~ "' as date)" -}}
{%- endmacro %}

{# The same day as text, such as 2026-06-30. #}
{% macro as_of_day() %}
  {%- set given = var('as_of_date', none) -%}
  {%- if given -%}
    {{ return(modules.datetime.datetime.strptime(given | string, '%Y-%m-%d').strftime('%Y-%m-%d')) }}
  {%- endif -%}
  {{ return(visma_economic.today()) }}
{% endmacro %}

{% macro today() %}
  {{ return(run_started_at.astimezone(modules.pytz.timezone('Europe/Copenhagen')).strftime('%Y-%m-%d')) }}
{% endmacro %}
