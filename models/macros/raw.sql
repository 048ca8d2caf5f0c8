{#
  One stream as a table with plain names and types.

  Loaders do not agree on names: target-postgres keeps "entryNumber" and its capitals, which then
  need quotes; target-duckdb writes entrynumber, others ENTRYNUMBER or entry_number. So the columns
  are looked up in the database, without regard to capitals and underscores, and quoted as they are
  found there. Deleted rows are left out, see `living`.

  Args:
    stream: the stream, which is also the table's name.
    columns: [name in e-conomic, name here, kind], one per column; for the kinds see `kind_of`.
    optional: whether the table may be missing, because nobody selected the stream or because the
      company lacks the module. It then counts as empty.
#}
{% macro raw(stream, columns, optional=false) %}
  {%- set relation = source('economic', stream) -%}
  {%- set found = visma_economic.columns_of(relation) -%}
  {%- if found or not execute -%}
    select
    {%- for name, alias, kind in columns %}
      cast({{ visma_economic.exact(found, name, stream) }} as {{ visma_economic.kind_of(kind) }}) as {{ alias }}
      {{- "," if not loop.last }}
    {%- endfor %}
    {{ visma_economic.living(stream) }}
  {%- elif optional -%}
    select
    {%- for _, alias, kind in columns %}
      cast(null as {{ visma_economic.kind_of(kind) }}) as {{ alias }}{{ "," if not loop.last }}
    {%- endfor %}
    from (select 1 as one) as nothing
    where 1 = 0
  {%- else -%}
    {{ exceptions.raise_compiler_error(
      "There is no table " ~ relation ~ ". Select the stream " ~ stream ~ " in the tap and load it, "
      ~ "or say with the variables economic_schema and economic_database where the tables are."
    ) }}
  {%- endif -%}
{% endmacro %}


{# The columns of a table by their plain name; empty where there is no such table. #}
{% macro columns_of(relation) %}
  {%- set found = {} -%}
  {%- if execute and load_relation(relation) is not none -%}
    {%- for column in adapter.get_columns_in_relation(relation) -%}
      {%- do found.update({visma_economic.plain(column.name): column}) -%}
    {%- endfor -%}
  {%- endif -%}
  {{ return(found) }}
{% endmacro %}


{% macro plain(name) %}
  {{ return(name | lower | replace('_', '')) }}
{% endmacro %}


{% macro column_named(found, name, stream) %}
  {%- set key = visma_economic.plain(name) -%}
  {%- if execute and key not in found -%}
    {{ exceptions.raise_compiler_error(
      "The table " ~ stream ~ " has no column " ~ name ~ ": select it in the tap and load it again."
    ) }}
  {%- endif -%}
  {{ return(adapter.quote(found[key].name if key in found else name)) }}
{% endmacro %}


{#
  A column as something that can be cast without losing digits. Some loaders store amounts as floating
  point numbers; as text these have the digits that were loaded, cast at once they may get others.
#}
{% macro exact(found, name, stream) %}
  {%- set column = visma_economic.column_named(found, name, stream) -%}
  {%- set stored = found.get(visma_economic.plain(name)) -%}
  {{ return("cast(" ~ column ~ " as " ~ dbt.type_string() ~ ")" if stored and stored.is_float() else column) }}
{% endmacro %}


{# The database's type for a kind of value. Money is decimal, never floating point. #}
{% macro kind_of(kind) %}
  {%- set kinds = {
    'integer': dbt.type_bigint(),
    'decimal': dbt.type_numeric(),
    'text': dbt.type_string(),
    'boolean': dbt.type_boolean(),
    'date': 'date',
    'timestamp': dbt.type_timestamp(),
  } -%}
  {{ return(kinds[kind]) }}
{% endmacro %}
