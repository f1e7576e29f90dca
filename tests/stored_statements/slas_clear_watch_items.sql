-- slas_clear_watch_items, volatile
-- takes home bigint
-- takes low bigint
-- takes high bigint
-- takes now timestamptz
-- takes parcel_id bigint[]
-- returns removed bigint

BEGIN
RETURN QUERY
WITH cleared AS (
    DELETE FROM slas_watchitem WHERE parcel_id = ANY(%(parcel_id)s) AND refreshed_at <> %(now)s
    RETURNING 1
)
SELECT count(*) FROM cleared;
END
