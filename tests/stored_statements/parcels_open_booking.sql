-- parcels_open_booking, volatile
-- takes merchant_id bigint
-- takes origin_id int[]
-- takes destination_id int[]
-- takes today date[]
-- takes first_day date
-- takes last_day date
-- takes known_at timestamptz
-- returns standing text
-- returns joined_at timestamptz
-- returns is_lifted boolean
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
    PERFORM pg_advisory_xact_lock_shared(5264015);
    SELECT o.status, o.created_at, coalesce(m.limit_lifted, false) INTO standing, joined_at, is_lifted
    FROM alliance_organisation o LEFT JOIN parcels_merchant m ON m.organisation_id = o.id
    WHERE o.id = %(merchant_id)s;
    RETURN QUERY SELECT standing,
        joined_at,
        is_lifted,
        market.*
        FROM (SELECT *
        FROM slas_market_89db07c84ede(%(merchant_id)s,
        %(origin_id)s,
        %(destination_id)s,
        %(today)s,
        %(first_day)s,
        %(last_day)s,
        %(known_at)s)) AS market;
END
