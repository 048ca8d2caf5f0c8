{#
  Columns for dimensions, from rows with dimension_number, dimension_key, dimension_name and
  is_distribution, to be used with a `group by` over the entry.

  Args:
    numbers: the dimensions' numbers, in the order of the columns.
#}
{% macro dimension_columns(numbers) %}
  {%- for number in numbers %}
  max(case when dimension_number = {{ number | int }} then dimension_key end) as dimension_{{ number | int }}_key,
  max(case when dimension_number = {{ number | int }} then dimension_name end) as dimension_{{ number | int }}_name,
  max(case when dimension_number = {{ number | int }} and is_distribution then 1 else 0 end) = 1
    as dimension_{{ number | int }}_is_distribution
  {{- "," if not loop.last }}
  {%- endfor %}
{% endmacro %}


{#
  The parts of each distribution (agreement_number, dimension_number, distribution_key, dimension_key,
  percent) from the JSON list in dimension_distributions. How a database takes JSON apart is its own:
  for others than these, add a macro DATABASE__distribution_parts. Without, no distribution is split.
#}
{% macro distribution_parts() %}
  {%- set relation = source('economic', 'dimension_distributions') -%}
  {%- set found = visma_economic.columns_of(relation) -%}
  {%- if found or not execute -%}
    {%- set columns = {} -%}
    {%- for name in ['agreementNumber', 'dimensionNumber', 'key', 'distributions'] -%}
      {%- do columns.update({name: visma_economic.column_named(found, name, 'dimension_distributions')}) -%}
    {%- endfor -%}
    {%- set kept -%}
      (select held.* {{ visma_economic.living('dimension_distributions') }}) as kept
    {%- endset -%}
    {{ adapter.dispatch('distribution_parts', 'visma_economic')(kept, columns) }}
  {%- else -%}
    {{ visma_economic.no_distribution_parts() }}
  {%- endif -%}
{% endmacro %}

{% macro default__distribution_parts(kept, columns) %}
  {%- if execute -%}
    {%- do exceptions.warn(
      "visma_economic: no macro distribution_parts for " ~ target.type ~ ", distributions are not split"
    ) -%}
  {%- endif -%}
  {{ visma_economic.no_distribution_parts() }}
{% endmacro %}

{% macro no_distribution_parts() %}
    select
      cast(null as {{ dbt.type_bigint() }}) as agreement_number,
      cast(null as {{ dbt.type_bigint() }}) as dimension_number,
      cast(null as {{ dbt.type_bigint() }}) as distribution_key,
      cast(null as {{ dbt.type_bigint() }}) as dimension_key,
      cast(null as {{ dbt.type_numeric() }}) as percentage
    from (select 1 as one) as nothing
    where 1 = 0
{% endmacro %}

{% macro postgres__distribution_parts(kept, columns) %}
    select
      cast({{ columns['agreementNumber'] }} as bigint) as agreement_number,
      cast({{ columns['dimensionNumber'] }} as bigint) as dimension_number,
      cast({{ columns['key'] }} as bigint) as distribution_key,
      cast(part ->> 'key' as bigint) as dimension_key,
      cast(part ->> 'percent' as {{ dbt.type_numeric() }}) as percentage
    from {{ kept }}
    -- target-postgres makes a jsonb[] of a list, others make jsonb
    cross join lateral jsonb_array_elements(
      case when jsonb_typeof(to_jsonb({{ columns['distributions'] }})) = 'array'
        then to_jsonb({{ columns['distributions'] }}) else '[]' end
    ) as part
{% endmacro %}

{% macro duckdb__distribution_parts(kept, columns) %}
    select
      agreement_number,
      dimension_number,
      distribution_key,
      part.key as dimension_key,
      cast(part.percent as {{ dbt.type_numeric() }}) as percentage
    from (
      select
        cast({{ columns['agreementNumber'] }} as bigint) as agreement_number,
        cast({{ columns['dimensionNumber'] }} as bigint) as dimension_number,
        cast({{ columns['key'] }} as bigint) as distribution_key,
        unnest(from_json(
          cast({{ columns['distributions'] }} as json), '[{"key": "BIGINT", "percent": "DECIMAL(9, 4)"}]'
        )) as part
      from {{ kept }}
    ) as parts
{% endmacro %}
