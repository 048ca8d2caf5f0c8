{#
  amount * part / whole, rounded to the øre (half away from zero), as a decimal; null where whole is 0.

  DuckDB divides decimals as floating point numbers, so it counts in whole øre there.
#}
{% macro portion(amount, part, whole) %}
  {{- adapter.dispatch('portion', 'visma_economic')(amount, part, whole) -}}
{% endmacro %}

{% macro default__portion(amount, part, whole) -%}
  cast(round(({{ amount }}) * ({{ part }}) / nullif({{ whole }}, 0), 2) as {{ dbt.type_numeric() }})
{%- endmacro %}

{% macro duckdb__portion(amount, part, whole) -%}
  {%- set product = "cast((" ~ amount ~ ") * 100 as hugeint) * cast((" ~ part ~ ") * 100 as hugeint)" -%}
  {%- set divisor = "nullif(cast((" ~ whole ~ ") * 100 as hugeint), 0)" -%}
  cast(
    cast(
      sign({{ product }}) * sign({{ divisor }})
      * ((2 * abs({{ product }}) + abs({{ divisor }})) // (2 * abs({{ divisor }}))) as {{ dbt.type_numeric() }}
    ) * cast(0.01 as decimal(3, 2)) as {{ dbt.type_numeric() }}
  )
{%- endmacro %}
