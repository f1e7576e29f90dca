-- slas_take_progress, volatile
-- takes home bigint
-- takes share int
-- takes shares int
-- takes limit int
-- returns folded bigint
-- returns courier_id text
-- returns due_date text
-- returns tier_id text
-- returns origin_id text
-- returns destination_id text
-- returns mark text
-- returns count text

BEGIN
    RETURN QUERY
    WITH taken AS (
        DELETE
            FROM slas_progresstally WHERE mod(courier_id,
            %(shares)s) = %(share)s
            AND id <= (SELECT coalesce((SELECT id
            FROM slas_progresstally WHERE mod(courier_id,
            %(shares)s) = %(share)s ORDER BY id OFFSET %(limit)s - 1 LIMIT 1),
            9223372036854775807)) RETURNING *
    ),
    sums AS (
    SELECT courier_id,
        due_date,
        tier_id,
        origin_id,
        destination_id,
        abs(mark) AS mark,
        sum(sign(mark))::int AS count
    FROM taken, unnest(marks) AS m (mark)
    GROUP BY courier_id, due_date, tier_id, origin_id, destination_id, abs(mark) HAVING sum(sign(mark)) <> 0)
    SELECT (SELECT count(*)
        FROM taken),
        array_agg(courier_id)::text,
        array_agg(due_date)::text,
        array_agg(tier_id)::text,
        array_agg(origin_id)::text,
        array_agg(destination_id)::text,
        array_agg(mark)::text,
        array_agg(count)::text
        FROM sums;
END
