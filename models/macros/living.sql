{#
  The rows of a stream's table that are not deleted, as what follows `select held.*`.

  A loader may mark deleted rows with _sdc_deleted_at. Where several jobs share the tables nothing
  marks them, but `sync_runs` tells: a row is deleted in e-conomic if it was last loaded before the
  last proven run that sent its stream whole for its company. Both have _sdc_sync_started_at, the
  start of the target's process.

  Args:
    stream: the stream, which is also the table's name.
#}
{% macro living(stream) %}
  {%- set relation = source('economic', stream) -%}
  {%- set found = visma_economic.columns_of(relation) -%}
  {%- set proven = ref('int_economic__proven_runs') -%}
  {%- set conditions = [] -%}
  from {{ relation }} as held
  {%- if 'sdcsyncstartedat' in found and 'agreementnumber' in found %}
  {%- set loaded = "held." ~ adapter.quote(found['sdcsyncstartedat'].name) %}
  left join (
    select agreement_number as proven_agreement, max(sync_started_at) as proven_since
    from {{ proven }}
    where sent_whole like '%"{{ stream }}"%'
    group by agreement_number
  ) as proven
    on proven.proven_agreement = held.{{ adapter.quote(found['agreementnumber'].name) }}
  {%- do conditions.append(
    "(proven.proven_since is null or " ~ loaded ~ " is null or " ~ loaded ~ " >= proven.proven_since)"
  ) -%}
  {%- endif -%}
  {%- if 'sdcdeletedat' in found -%}
    {%- do conditions.append("held." ~ adapter.quote(found['sdcdeletedat'].name) ~ " is null") -%}
  {%- endif -%}
  {%- if conditions %}
  where {{ conditions | join(" and ") }}
  {%- endif %}
{% endmacro %}


{#
  `sync_runs` with plain names. The table may be missing, and so may _sdc_sync_started_at, which is
  null then: no row counts as deleted.
#}
{% macro sync_runs() %}
  {%- set columns = [
    ('run', 'run', 'text'),
    ('grantDigest', 'grant_digest', 'text'),
    ('agreementNumber', 'agreement_number', 'integer'),
    ('name', 'company_name', 'text'),
    ('startedAt', 'started_at', 'timestamp'),
    ('endedAt', 'ended_at', 'timestamp'),
    ('outcome', 'outcome', 'text'),
    ('events', 'is_event_run', 'boolean'),
    ('rowCount', 'row_count', 'integer'),
    ('calls', 'calls', 'integer'),
    ('tokens', 'tokens', 'integer'),
    ('waitedSeconds', 'waited_seconds', 'integer'),
    ('skipped', 'skipped', 'text'),
    ('failed', 'failed', 'text'),
    ('sentWhole', 'sent_whole', 'text'),
    ('tapVersion', 'tap_version', 'text'),
    ('shard', 'shard', 'text'),
    ('proves', 'proves', 'text'),
  ] -%}
  {%- set relation = source('economic', 'sync_runs') -%}
  {%- set found = visma_economic.columns_of(relation) -%}
  {%- set is_known = 'sdcsyncstartedat' in found -%}
  select
  {%- for name, alias, kind in columns %}
    cast({{ visma_economic.column_named(found, name, 'sync_runs') if found else 'null' }} as {{ visma_economic.kind_of(kind) }}) as {{ alias }},
  {%- endfor %}
    cast({{ adapter.quote(found['sdcsyncstartedat'].name) if is_known else 'null' }} as {{ dbt.type_bigint() }}) as sync_started_at
  {%- if found %}
  from {{ relation }}
  {%- else %}
  from (select 1 as one) as nothing
  where 1 = 0
  {%- endif %}
{% endmacro %}
