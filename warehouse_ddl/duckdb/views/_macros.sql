{# The pieces that the views share: rows in commit order, truncates, and the filling of columns that were not sent. #}

{#- The key with its source, of one alias, as a list. -#}
{%- macro identity(of) -%}
{% for name in key %}{{ of }}.{{ name | q }}, {% endfor %}{{ of }}._steno_source
{%- endmacro -%}

{%- macro same_identity(one, other) -%}
{% for name in key %}{{ one }}.{{ name | q }} = {{ other }}.{{ name | q }} AND {% endfor %}{{ one }}._steno_source = {{ other }}._steno_source
{%- endmacro -%}

{#- Equal as a window's partition, and cheaper to sort than the source's name. -#}
{%- macro partition(of) -%}
{% for name in key %}{{ of }}.{{ name | q }}, {% endfor %}hash({{ of }}._steno_source)
{%- endmacro -%}

{#-
  The history table's columns. One that the table got later is read, in older rows, from where it stood then; of one
  that was not sent they know the name that it had at the source.
-#}
{%- macro history_columns() -%}
h.*
{%- if lifted %} REPLACE (
{%- for column in lifted %}
        CASE
            WHEN h.{{ column.name | q }} IS NOT NULL THEN h.{{ column.name | q }}
            WHEN json_exists(h._steno_extra, {{ column.lift.source | path }})
                THEN {{ ('json_extract(h._steno_extra, ' ~ (column.lift.source | path) ~ ')') | of_json(column.type) }}
            {%- if column.lift.default is not none %}
            WHEN h._steno_op <> 'delete' AND h._steno_model_version < {{ column.lift.since }}
                THEN {{ column.lift.default | text | of_text(column.type) }}
            {%- endif %}
        END AS {{ column.name | q }}
        {%- if not loop.last %},{% endif %}
{%- endfor %}
{%- if renamed %},
        list_transform(h._steno_unchanged, lambda _name: CASE _name
            {%- for source, name in renamed.items() %} WHEN {{ source | text }} THEN {{ name | text }}{% endfor %} ELSE _name END
        ) AS _steno_unchanged
{%- endif %}
    ){% endif %}
{%- endmacro -%}

{#- Names one row of the history table. -#}
{%- macro row_id(of) -%}
{% if rowid_is_free -%}
{{ of }}.rowid
{%- else -%}
{'t': {{ of }}._steno_topic, 'g': {{ of }}._steno_log_generation, 'p': {{ of }}._steno_log_partition, 'o': {{ of }}._steno_log_offset}
{%- endif %}
{%- endmacro -%}

{#-
  `_steno__row`: every history row with its name and its place in its key's commit order. The upper bits of a place
  count the generations of the log and the readings of the table before the row: neither count falls as a key's
  changes follow each other, so where they are equal in sum both are, and the key is in one partition. The lower bits
  are the offset (below 2^48) there.
  `_steno__reading`: the truncates that stand before a table was read again. A key's partition can change only there.
  `_steno__era`: the offsets of each partition that lie above readings, and above how many.
  `_steno__cut`: the truncates, each at the latest instant that one up to it was said to happen.
-#}
{%- macro rows(bound='') -%}
_steno__later AS MATERIALIZED (
    SELECT g._steno_source, g._steno_topic, g._steno_log_generation, g._steno__rank
    FROM (
        SELECT h._steno_source, h._steno_topic, h._steno_log_generation,
            row_number() OVER (
                PARTITION BY h._steno_source
                ORDER BY min(h._steno_recorded_at), h._steno_topic, h._steno_log_generation
            ) - 1 AS _steno__rank
        FROM {{ table | q }} AS h
        GROUP BY h._steno_source, h._steno_topic, h._steno_log_generation
    ) AS g
    WHERE g._steno__rank > 0
),
_steno__reading AS MATERIALIZED (
    -- Only such a truncate has neither a change LSN nor an ordinal: the last 24 digits of the order.
    SELECT h._steno_source, h._steno_order,
        row_number() OVER (PARTITION BY h._steno_source ORDER BY h._steno_order) AS _steno__number
    FROM {{ table | q }} AS h
    WHERE h._steno_op = 'truncate' AND right(h._steno_order, 24) = repeat('0', 24)
),
_steno__era AS MATERIALIZED (
    SELECT b._steno_source, b._steno_topic, b._steno_log_generation, b._steno_log_partition, b._steno__from,
        max(b._steno__number) AS _steno__number,
        lead(b._steno__from, 1, 281474976710656) OVER (
            PARTITION BY b._steno_source, b._steno_topic, b._steno_log_generation, b._steno_log_partition
            ORDER BY b._steno__from
        ) AS _steno__below
    FROM (
        SELECT h._steno_source, h._steno_topic, h._steno_log_generation, h._steno_log_partition, t._steno__number,
            min(h._steno_log_offset) AS _steno__from
        FROM _steno__reading AS t
        JOIN {{ table | q }} AS h ON h._steno_source = t._steno_source AND h._steno_order > t._steno_order
        GROUP BY h._steno_source, h._steno_topic, h._steno_log_generation, h._steno_log_partition, t._steno__number
    ) AS b
    GROUP BY b._steno_source, b._steno_topic, b._steno_log_generation, b._steno_log_partition, b._steno__from
),
_steno__row AS NOT MATERIALIZED (
    SELECT {{ row_id('h') }} AS _steno__id, {{ history_columns() }},
        (coalesce(g._steno__rank, 0) + coalesce(e._steno__number, 0)) * 281474976710656 + h._steno_log_offset
            AS _steno__place
    FROM {{ table | q }} AS h
    LEFT JOIN _steno__later AS g
        ON g._steno_source = h._steno_source AND g._steno_topic = h._steno_topic
        AND g._steno_log_generation = h._steno_log_generation
    LEFT JOIN _steno__era AS e
        ON e._steno_source = h._steno_source AND e._steno_topic = h._steno_topic
        AND e._steno_log_generation = h._steno_log_generation AND e._steno_log_partition = h._steno_log_partition
        AND e._steno__from <= h._steno_log_offset AND e._steno__below > h._steno_log_offset
    {{ bound }}
),
_steno__cut AS MATERIALIZED (
    SELECT r._steno_source, r._steno_topic, r._steno_order,
        max(r._steno_changed_at) OVER (
            PARTITION BY r._steno_source, r._steno_topic ORDER BY r._steno_order
        ) AS _steno__at
    FROM _steno__row AS r
    WHERE r._steno_op = 'truncate'
)
{%- endmacro -%}

{#-
  `_steno__fill`: for each row of `wanted` that lacks columns, the values of the newest row before it, in its life,
  that has them. A life that began with a key change goes on where the old key's life ended.
-#}
{%- macro fill(wanted) -%}
_steno__arrival AS MATERIALIZED (
    SELECT r._steno__id, {{ identity('r') }}, r._steno_topic, r._steno_order, r._steno_unchanged
    FROM _steno__row AS r
    WHERE len(r._steno_unchanged) > 0 AND r._steno_op = 'create' AND r._steno_related_key IS NOT NULL
),
_steno__departure AS MATERIALIZED (
    -- Both halves of a key change have one commit and one change LSN: the first 40 digits of the order.
    SELECT a._steno__id AS _steno__arrival, arg_max(d._steno__id, d._steno_order) AS _steno__id
    FROM _steno__arrival AS a
    JOIN _steno__row AS d
        ON d._steno_source = a._steno_source AND d._steno_topic = a._steno_topic
        AND left(d._steno_order, 40) = left(a._steno_order, 40) AND d._steno_order <= a._steno_order
    WHERE d._steno_op = 'delete' AND d._steno_related_key IS NOT NULL
    GROUP BY a._steno__id
),
_steno__line AS MATERIALIZED (
    SELECT {{ identity('r') }}, unnest(r._steno_unchanged) AS _steno__column
    FROM _steno__row AS r
    WHERE len(r._steno_unchanged) > 0 AND r._steno__id IN (SELECT w._steno__id FROM {{ wanted }} AS w)
    UNION
    SELECT {{ identity('a') }}, unnest(a._steno_unchanged) AS _steno__column
    FROM _steno__arrival AS a
    UNION
    SELECT {{ identity('r') }}, unnest(a._steno_unchanged) AS _steno__column
    FROM _steno__departure AS d
    JOIN _steno__row AS r ON r._steno__id = d._steno__id
    JOIN _steno__arrival AS a ON a._steno__id = d._steno__arrival
),
_steno__life AS NOT MATERIALIZED (
    SELECT {{ identity('r') }}, r._steno__id, r._steno__place, l._steno__column, r._steno_topic, r._steno_order,
        coalesce(list_contains(r._steno_unchanged, l._steno__column), false) AS _steno__missing,
        r._steno_op <> 'delete' AND (
            NOT coalesce(list_contains(r._steno_unchanged, l._steno__column), false)
            OR (r._steno_op = 'create' AND r._steno_related_key IS NOT NULL)
        ) AS _steno__gives,
        count(*) FILTER (WHERE r._steno_op = 'delete') OVER (
            PARTITION BY {{ identity('r') }}, l._steno__column ORDER BY r._steno__place
            ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ) AS _steno__deaths
    FROM _steno__row AS r
    JOIN _steno__line AS l ON {{ same_identity('r', 'l') }}
    WHERE r._steno_op <> 'truncate'
),
_steno__trail AS MATERIALIZED (
    SELECT r._steno__id, r._steno__column, r._steno__missing,
        last_value(CASE WHEN r._steno__gives THEN r._steno__id END IGNORE NULLS) OVER (
            PARTITION BY {{ identity('r') }}, r._steno__column, r._steno__deaths, c._steno_order
            ORDER BY r._steno__place ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        ) AS _steno__giver
    FROM _steno__life AS r
    ASOF LEFT JOIN _steno__cut AS c
        ON c._steno_source = r._steno_source AND c._steno_topic = r._steno_topic
        AND c._steno_order < r._steno_order
),
_steno__hop AS (
    SELECT t._steno__id, t._steno__column, t._steno__giver
    FROM _steno__trail AS t
    WHERE t._steno__missing AND t._steno__id IN (SELECT w._steno__id FROM {{ wanted }} AS w)
    UNION
    SELECT p._steno__id, p._steno__column, t._steno__giver
    FROM _steno__hop AS p
    JOIN _steno__arrival AS a
        ON a._steno__id = p._steno__giver AND list_contains(a._steno_unchanged, p._steno__column)
    JOIN _steno__departure AS d ON d._steno__arrival = a._steno__id
    JOIN _steno__trail AS t ON t._steno__id = d._steno__id AND t._steno__column = p._steno__column
),
_steno__fill AS MATERIALIZED (
    SELECT p._steno__id
        {%- for name in others %},
        first(g.{{ name | q }}) FILTER (WHERE p._steno__column = {{ sent_as[name] | text }}) AS {{ name | q }}
        {%- endfor %}
    FROM _steno__hop AS p
    JOIN _steno__row AS g ON g._steno__id = p._steno__giver
    WHERE NOT coalesce(list_contains(g._steno_unchanged, p._steno__column), false)
    GROUP BY p._steno__id
)
{%- endmacro -%}

{#- A column's value in row `of`, taken from the fill `from` where it was not sent. -#}
{%- macro value(name, of, from) -%}
{%- if name in key -%}
{{ of }}.{{ name | q }}
{%- else -%}
CASE WHEN list_contains({{ of }}._steno_unchanged, {{ sent_as[name] | text }}) THEN {{ from }}.{{ name | q }} ELSE {{ of }}.{{ name | q }} END
{%- endif -%}
{%- endmacro -%}

{%- macro filled_columns(of, from) -%}
{%- for name in columns %}
    {{ value(name, of, from) }} AS {{ name | q }}
    {%- if not loop.last %},{% endif %}
{%- endfor -%}
{%- endmacro -%}

{#- `_steno__last_cut`: the last truncate of each source's table; the rows below it are gone. -#}
{%- macro last_cut() -%}
_steno__last_cut AS MATERIALIZED (
    SELECT t._steno_source, t._steno_topic, max(t._steno_order) AS _steno_order
    FROM _steno__cut AS t
    GROUP BY t._steno_source, t._steno_topic
)
{%- endmacro -%}

{#- The rows that exist after everything below the bound. -#}
{%- macro existing(bound='') -%}
{%- if key -%}
WITH RECURSIVE {{ rows(bound) }},
{{ last_cut() }},
-- A row below the last truncate cannot be the last one that exists: it is left out before places are compared.
_steno__last AS MATERIALIZED (
    SELECT arg_max(r._steno__id, r._steno__place) AS _steno__id
    FROM _steno__row AS r
    LEFT JOIN _steno__last_cut AS c ON c._steno_source = r._steno_source AND c._steno_topic = r._steno_topic
    WHERE r._steno_op <> 'truncate' AND (c._steno_order IS NULL OR c._steno_order < r._steno_order)
    GROUP BY {{ identity('r') }}
),
{{ fill('_steno__last') }}
SELECT
    {{- filled_columns('r', 'f') }},
    r._steno_source
FROM _steno__row AS r
LEFT JOIN _steno__fill AS f ON f._steno__id = r._steno__id
WHERE r._steno__id IN (SELECT l._steno__id FROM _steno__last AS l)
    AND r._steno_op <> 'delete'
{%- else -%}
WITH {{ rows(bound) }},
{{ last_cut() }},
_steno__standing AS NOT MATERIALIZED (
    SELECT
        {%- for name in columns %}
        r.{{ name | q }},
        {%- endfor %}
        r._steno_source, r._steno_op
    FROM _steno__row AS r
    LEFT JOIN _steno__last_cut AS c ON c._steno_source = r._steno_source AND c._steno_topic = r._steno_topic
    WHERE r._steno_op IN ('create', 'snapshot', 'delete')
        AND (c._steno_order IS NULL OR c._steno_order < r._steno_order)
),
_steno__arrived AS NOT MATERIALIZED (
    SELECT s.* EXCLUDE (_steno_op) FROM _steno__standing AS s WHERE s._steno_op <> 'delete'
),
_steno__gone AS MATERIALIZED (
    SELECT s.* EXCLUDE (_steno_op) FROM _steno__standing AS s WHERE s._steno_op = 'delete'
)
SELECT a.* FROM _steno__arrived AS a
WHERE NOT EXISTS (SELECT 1 FROM _steno__gone AS g WHERE {{ same_row('a', 'g') }})
UNION ALL
(
    SELECT a.* FROM _steno__arrived AS a
    WHERE EXISTS (SELECT 1 FROM _steno__gone AS g WHERE {{ same_row('a', 'g') }})
    EXCEPT ALL
    SELECT g.* FROM _steno__gone AS g
)
{%- endif -%}
{%- endmacro -%}

{%- macro same_row(one, other) -%}
{% for name in columns %}{{ one }}.{{ name | q }} IS NOT DISTINCT FROM {{ other }}.{{ name | q }} AND {% endfor %}{{ one }}._steno_source = {{ other }}._steno_source
{%- endmacro -%}
