-- slas_take_tallies, volatile
-- takes home bigint
-- takes share int
-- takes shares int
-- takes limit int
-- returns folded bigint
-- returns courier_id text
-- returns merchant_id text
-- returns kind text
-- returns tier_id text
-- returns origin_id text
-- returns destination_id text
-- returns due_date text
-- returns pending text
-- returns met text
-- returns late text
-- returns overdue text
-- returns void text
-- returns excused text
-- returns attempted text
-- returns first_attempt text
-- returns within_48h text
-- returns within_72h text
-- returns marks text

BEGIN
    RETURN QUERY
    WITH taken AS (
        DELETE
            FROM slas_tally WHERE mod(courier_id,
            %(shares)s) = %(share)s
            AND id <= (SELECT coalesce((SELECT id
            FROM slas_tally WHERE mod(courier_id,
            %(shares)s) = %(share)s ORDER BY id OFFSET %(limit)s - 1 LIMIT 1),
            9223372036854775807)) RETURNING *
    ),
    sums AS (
        SELECT courier_id, merchant_id, kind, tier_id, origin_id, destination_id, due_date,
            sum(pending) AS pending,
                sum(met) AS met,
                sum(late) AS late,
                sum(overdue) AS overdue,
                sum(void) AS void,
                sum(excused) AS excused,
                sum(attempted) AS attempted,
                sum(first_attempt) AS first_attempt,
                sum(within_48h) AS within_48h,
                sum(within_72h) AS within_72h,
            slas_concatenated(marks) FILTER (WHERE marks IS NOT NULL)::text AS marks
        FROM taken GROUP BY courier_id, merchant_id, kind, tier_id, origin_id, destination_id, due_date)
    SELECT (SELECT count(*)
        FROM taken),
        array_agg(courier_id)::text,
        array_agg(merchant_id)::text,
        array_agg(kind)::text,
        array_agg(tier_id)::text,
        array_agg(origin_id)::text,
        array_agg(destination_id)::text,
        array_agg(due_date)::text,
        array_agg(pending)::text,
        array_agg(met)::text,
        array_agg(late)::text,
        array_agg(overdue)::text,
        array_agg(void)::text,
        array_agg(excused)::text,
        array_agg(attempted)::text,
        array_agg(first_attempt)::text,
        array_agg(within_48h)::text,
        array_agg(within_72h)::text,
        array_agg(marks)::text
        FROM sums;
END
