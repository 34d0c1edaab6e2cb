-- The table as it was at an instant: the rows whose version holds then.
{% import "_macros.sql" as shared with context -%}
CREATE OR REPLACE MACRO {{ view | q }}("at") AS TABLE
WITH RECURSIVE {{ shared.rows() }},
_steno__seen AS MATERIALIZED (
    SELECT {{ shared.identity('r') }},
        arg_max(r._steno__id, r._steno__place) FILTER (WHERE r._steno_changed_at <= CAST("at" AS TIMESTAMPTZ)) AS _steno__id,
        max(r._steno__place) FILTER (WHERE r._steno_changed_at <= CAST("at" AS TIMESTAMPTZ)) AS _steno__place,
        arg_min(r._steno__id, r._steno__place) FILTER (WHERE r._steno_changed_at > CAST("at" AS TIMESTAMPTZ)) AS _steno__next,
        min(r._steno__place) FILTER (WHERE r._steno_changed_at > CAST("at" AS TIMESTAMPTZ)) AS _steno__next_place
    FROM _steno__row AS r
    WHERE r._steno_op <> 'truncate'
    GROUP BY {{ shared.identity('r') }}
),
_steno__held AS MATERIALIZED (
    SELECT s._steno__id, s._steno__next
    FROM _steno__seen AS s
    WHERE s._steno__place < s._steno__next_place OR (s._steno__id IS NOT NULL AND s._steno__next IS NULL)
    UNION ALL
    -- The source's clock stepped back: what follows the first change after the instant is after it too.
    SELECT arg_max(r._steno__id, r._steno__place) AS _steno__id, any_value(s._steno__next) AS _steno__next
    FROM _steno__seen AS s
    JOIN _steno__row AS r ON {{ shared.same_identity('r', 's') }} AND r._steno__place < s._steno__next_place
    WHERE s._steno__place > s._steno__next_place AND r._steno_op <> 'truncate'
    GROUP BY {{ shared.identity('s') }}
),
_steno__ended AS MATERIALIZED (
    SELECT r._steno__id
    FROM (SELECT t.* FROM _steno__cut AS t WHERE t._steno__at <= CAST("at" AS TIMESTAMPTZ)) AS c
    JOIN _steno__row AS r
        ON c._steno_source = r._steno_source AND c._steno_topic = r._steno_topic
        AND c._steno_order > r._steno_order
    JOIN _steno__held AS s ON s._steno__id = r._steno__id
    LEFT JOIN _steno__row AS n ON n._steno__id = s._steno__next
    WHERE n._steno_order IS NULL OR c._steno_order < n._steno_order
),
{{ shared.fill('_steno__held') }}
SELECT
    {{- shared.filled_columns('r', 'f') }},
    r._steno_source
FROM _steno__row AS r
LEFT JOIN _steno__fill AS f ON f._steno__id = r._steno__id
WHERE r._steno__id IN (SELECT s._steno__id FROM _steno__held AS s)
    AND r._steno_op <> 'delete'
    AND r._steno__id NOT IN (SELECT e._steno__id FROM _steno__ended AS e)
