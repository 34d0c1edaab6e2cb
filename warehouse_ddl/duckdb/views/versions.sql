-- Every version of every row, from the change that made it to the one that ended it.
{% import "_macros.sql" as shared with context -%}
CREATE OR REPLACE VIEW {{ view | q }} AS
WITH RECURSIVE {{ shared.rows() }},
_steno__incomplete AS NOT MATERIALIZED (
    SELECT r._steno__id FROM _steno__row AS r WHERE len(r._steno_unchanged) > 0
),
{{ shared.fill('_steno__incomplete') }},
-- Keys that a snapshot read again: only there can a row say nothing new.
_steno__reread AS NOT MATERIALIZED (
    SELECT {{ shared.identity('r') }}
    FROM _steno__row AS r
    WHERE r._steno_op <> 'truncate'
    GROUP BY {{ shared.identity('r') }}
    HAVING max(r._steno__place) FILTER (WHERE r._steno_op = 'snapshot') > min(r._steno__place)
),
_steno__step AS NOT MATERIALIZED (
    SELECT r._steno__id, {{ shared.identity('r') }}, r._steno_topic, r._steno__place, r._steno_op, r._steno_order,
        max(r._steno_changed_at) OVER w AS _steno__at,
        max(r._steno_changed_at) OVER (w ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS _steno__previous_at,
        lag(r._steno__id) OVER w AS _steno__previous,
        lag(r._steno_op) OVER w AS _steno__previous_op,
        lag(r._steno_order) OVER w AS _steno__previous_order
    FROM _steno__row AS r
    JOIN _steno__reread AS k ON {{ shared.same_identity('r', 'k') }}
    WHERE r._steno_op <> 'truncate'
    WINDOW w AS (PARTITION BY {{ shared.identity('r') }} ORDER BY r._steno__place)
),
_steno__again AS NOT MATERIALIZED (
    SELECT s._steno__id
    FROM _steno__step AS s
    JOIN _steno__row AS r ON r._steno__id = s._steno__id
    JOIN _steno__row AS p ON p._steno__id = s._steno__previous
    LEFT JOIN _steno__fill AS f ON f._steno__id = s._steno__previous
    ASOF LEFT JOIN _steno__cut AS c
        ON c._steno_source = s._steno_source AND c._steno_topic = p._steno_topic
        AND c._steno_order > s._steno__previous_order
    WHERE s._steno_op = 'snapshot' AND s._steno__previous_op <> 'delete'
        AND (c._steno_order IS NULL OR c._steno_order > s._steno_order
            OR greatest(s._steno__previous_at, c._steno__at) >= s._steno__at)
        {%- for name in others %}
        AND r.{{ name | q }} IS NOT DISTINCT FROM {{ shared.value(name, 'p', 'f') }}
        {%- endfor %}
),
_steno__run AS NOT MATERIALIZED (
    SELECT s.*, a._steno__id IS NOT NULL AS _steno__dropped,
        count(*) FILTER (WHERE a._steno__id IS NULL) OVER (
            PARTITION BY {{ shared.identity('s') }} ORDER BY s._steno__place
            ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        ) AS _steno__number
    FROM _steno__step AS s
    LEFT JOIN _steno__again AS a ON a._steno__id = s._steno__id
),
-- A row that was seen again lasts through the last sighting.
_steno__sighted AS NOT MATERIALIZED (
    SELECT s._steno__id, {{ shared.identity('s') }}, s._steno__dropped, s._steno__at,
        last_value(s._steno__at) OVER w AS _steno__through_at,
        last_value(s._steno_order) OVER w AS _steno__through
    FROM _steno__run AS s
    WINDOW w AS (
        PARTITION BY {{ shared.identity('s') }}, s._steno__number ORDER BY s._steno__place
        ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING
    )
),
_steno__change AS NOT MATERIALIZED (
    SELECT r.*,
        coalesce(s._steno__at, r._steno_changed_at) AS _steno__at,
        s._steno__through_at,
        -- Orders are long: they are carried only where a truncate can fall between them.
        CASE WHEN (SELECT count(*) FROM _steno__cut) > 0 THEN r._steno_order END AS _steno__from,
        CASE WHEN (SELECT count(*) FROM _steno__cut) > 0
            THEN coalesce(s._steno__through, r._steno_order) END AS _steno__through
    FROM _steno__row AS r
    LEFT JOIN _steno__sighted AS s ON s._steno__id = r._steno__id AND {{ shared.same_identity('s', 'r') }}
    WHERE r._steno_op <> 'truncate' AND NOT coalesce(s._steno__dropped, false)
),
_steno__version AS NOT MATERIALIZED (
    SELECT r.*,
        max(r._steno__at) OVER w AS _steno__valid_from,
        lead(r._steno__at) OVER w AS _steno__next_at,
        lead(r._steno_op) OVER w AS _steno__next_op,
        lead(r._steno_related_key IS NOT NULL) OVER w AS _steno__next_related,
        lead(r._steno__from) OVER w AS _steno__next_order
    FROM _steno__change AS r
    WINDOW w AS (PARTITION BY {{ shared.partition('r') }} ORDER BY r._steno__place)
),
_steno__bounded AS NOT MATERIALIZED (
    SELECT r.*,
        greatest(r._steno__valid_from, r._steno__next_at) AS _steno__next_from,
        CASE WHEN r._steno__next_order IS NULL OR c._steno_order < r._steno__next_order
            THEN c._steno__at END AS _steno__cut_at
    FROM _steno__version AS r
    ASOF LEFT JOIN _steno__cut AS c
        ON c._steno_source = r._steno_source AND c._steno_topic = r._steno_topic
        AND c._steno_order > r._steno__through
    WHERE r._steno_op <> 'delete'
)
SELECT
    {{- shared.filled_columns('r', 'f') }},
    r._steno__valid_from AS {{ names.valid_from | q }},
    CASE
        WHEN r._steno__cut_at IS NOT NULL AND r._steno__next_op IS NOT NULL
            THEN least(greatest(r._steno__valid_from, r._steno__through_at, r._steno__cut_at), r._steno__next_from)
        WHEN r._steno__cut_at IS NOT NULL THEN greatest(r._steno__valid_from, r._steno__through_at, r._steno__cut_at)
        WHEN r._steno__next_op IS NOT NULL THEN r._steno__next_from
    END AS {{ names.valid_to | q }},
    r._steno__next_op IS NULL AND r._steno__cut_at IS NULL AS {{ names.is_current | q }},
    CASE WHEN r._steno_op = 'create' AND r._steno_related_key IS NOT NULL THEN 'key change' ELSE r._steno_op END
        AS {{ names.change | q }},
    CASE
        WHEN r._steno__cut_at IS NOT NULL THEN 'truncate'
        WHEN r._steno__next_op = 'delete' AND r._steno__next_related THEN 'key change'
        ELSE r._steno__next_op
    END AS {{ names.ended_by | q }},
    r._steno_recorded_at AS {{ names.known_from | q }},
    r._steno_changed_after AS {{ names.changed_after | q }},
    r._steno_source
FROM _steno__bounded AS r
LEFT JOIN _steno__fill AS f ON f._steno__id = r._steno__id
