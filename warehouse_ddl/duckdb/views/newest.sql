-- The rows of one source that exist after every change below the order given as hex text: what its table held there.
{% import "_macros.sql" as shared with context -%}
SELECT
{%- for name in columns %}
    e.{{ name | q }}
    {%- if not loop.last %},{% endif %}
{%- endfor %}
FROM (
{{ shared.existing('WHERE h._steno_source = ? AND h._steno_order < ?') }}
) AS e
