-- slas_take_credit_checks, volatile
-- takes home bigint
-- takes limit int
-- returns parcel_id bigint
-- returns kind text

BEGIN
    RETURN QUERY
    DELETE FROM slas_creditcheck
    WHERE id <= (
        SELECT coalesce(
            (SELECT id FROM slas_creditcheck ORDER BY id OFFSET %(limit)s - 1 LIMIT 1), 9223372036854775807
        )
    )
    RETURNING parcel_id, kind::text;
END
