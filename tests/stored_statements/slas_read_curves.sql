-- slas_read_curves, stable
-- takes tier int[]
-- takes courier bigint[]
-- takes origin int[]
-- takes destination int[]
-- takes measures text[]
-- takes first date
-- takes last date
-- returns place bigint
-- returns of_courier bigint
-- returns measure int
-- returns bin int
-- returns total bigint

BEGIN
    RETURN QUERY
WITH wanted AS (
    SELECT w.tier, w.courier, w.origin, w.destination, w.measures::int[] AS measures, w.n
    FROM unnest(%(tier)s, %(courier)s, %(origin)s, %(destination)s, %(measures)s)
        WITH ORDINALITY AS w (tier, courier, origin, destination, measures, n)
)

SELECT w.n, h.courier, h.mark / 1000, h.mark %% 1000, h.total
FROM wanted w CROSS JOIN LATERAL (
    SELECT courier_id AS courier, mark, sum(count)::bigint AS total
    FROM slas_progress, unnest(marks, counts) AS m (mark, count)
    WHERE origin_id = w.origin
        AND destination_id = w.destination
        AND tier_id = w.tier
        AND due_date BETWEEN %(first)s
        AND %(last)s
        AND mark / 1000 = ANY(w.measures)
    GROUP BY 1, 2
) h WHERE w.origin IS NOT NULL;
    -- Mostly a lane alone is missing, and setting these up takes longer than reading it.
    IF array_position(%(origin)s, NULL) IS NOT NULL THEN
        RETURN QUERY
WITH wanted AS (
    SELECT w.tier, w.courier, w.origin, w.destination, w.measures::int[] AS measures, w.n
    FROM unnest(%(tier)s, %(courier)s, %(origin)s, %(destination)s, %(measures)s)
        WITH ORDINALITY AS w (tier, courier, origin, destination, measures, n)
)

SELECT w.n, h.courier, h.mark / 1000, h.mark %% 1000, h.total
FROM wanted w CROSS JOIN LATERAL (
    SELECT NULL::bigint AS courier, mark, sum(count)::bigint AS total
    FROM slas_progress, unnest(marks, counts) AS m (mark, count)
    WHERE courier_id = w.courier AND tier_id = w.tier AND due_date BETWEEN %(first)s AND %(last)s
        AND mark / 1000 = ANY(w.measures)
    GROUP BY 1, 2
) h WHERE w.origin IS NULL AND w.courier IS NOT NULL UNION ALL
SELECT w.n, h.courier, h.mark / 1000, h.mark %% 1000, h.total
FROM wanted w CROSS JOIN LATERAL (
    SELECT NULL::bigint AS courier, mark, sum(count)::bigint AS total
    FROM slas_progress, unnest(marks, counts) AS m (mark, count)
    WHERE true AND tier_id = w.tier AND due_date BETWEEN %(first)s AND %(last)s
        AND mark / 1000 = ANY(w.measures)
    GROUP BY 1, 2
) h WHERE w.origin IS NULL AND w.courier IS NULL;
    END IF;
END
