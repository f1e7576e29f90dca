-- slas_market, stable
-- takes merchant_id bigint
-- takes origin_id int[]
-- takes destination_id int[]
-- takes today date[]
-- takes first_day date
-- takes last_day date
-- takes known_at timestamptz
-- returns tiers text
-- returns closures text
-- returns rules text
-- returns offer_id bigint
-- returns courier_id bigint
-- returns name text
-- returns grade text
-- returns tier_id int
-- returns origin_id int
-- returns destination_id int
-- returns price_fen int
-- returns met bigint
-- returns late bigint
-- returns overdue bigint
-- returns excused bigint

BEGIN
    RETURN QUERY
    SELECT stamps.*, offer.*
    FROM (SELECT (
    SELECT coalesce(sum(hashtextextended(t::text, 1)), 0)::text
        || coalesce((SELECT sum(hashtextextended(v::text, 2)) FROM slas_tierversion v), 0)::text
    FROM slas_servicetier t
), (
    SELECT count(*) || ':' || coalesce(sum(hashtextextended(c::text, 3)), 0)
    FROM slas_closure c
    WHERE date BETWEEN %(first_day)s AND %(last_day)s AND announced_at <= %(known_at)s
        AND (withdrawn_at IS NULL OR withdrawn_at > %(known_at)s)
), (
    SELECT sum(hashtextextended(r::text, 4))::text FROM slas_allocationrule r
    WHERE r.merchant_id = %(merchant_id)s
)) AS stamps
    LEFT JOIN (unnest(%(origin_id)s, %(destination_id)s, %(today)s) AS w (origin_id, destination_id, today)
        CROSS JOIN LATERAL (
            WITH record AS MATERIALIZED (
                SELECT r.organisation_id, r.tier_id, sum(r.met) AS met, sum(r.late) AS late,
                    sum(r.overdue) AS overdue, sum(r.excused) AS excused
                FROM slas_ontimerate r
                WHERE r.origin_id = w.origin_id AND r.destination_id = w.destination_id
                    AND r.counterpart_id IS NULL AND r.kind = 'delivery'
                    AND r.due_date > w.today - 30 AND r.due_date <= w.today
                GROUP BY r.organisation_id, r.tier_id
            )
            SELECT o.id, o.courier_id, g.name::text, k.grade::text, o.tier_id::int, o.origin_id,
                o.destination_id, o.price_fen, record.met, record.late, record.overdue, record.excused
            FROM slas_offer o
            JOIN alliance_organisation g ON g.id = o.courier_id AND g.status = 'active'
            JOIN couriers_courier k ON k.organisation_id = o.courier_id
            LEFT JOIN record ON record.organisation_id = o.courier_id AND record.tier_id = o.tier_id
            WHERE o.origin_id = w.origin_id AND o.destination_id = w.destination_id AND o.active
        ) AS offer
    ) ON true;
END
