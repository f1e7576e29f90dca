-- parcels_join_pickup, volatile
-- takes home bigint
-- takes low bigint
-- takes high bigint
-- takes request bigint
-- takes parcel_id bigint[]
-- returns joined bigint

BEGIN
RETURN QUERY
WITH joined AS (
    UPDATE parcels_parcel SET pickup_id = %(request)s
    WHERE id = ANY(%(parcel_id)s) AND id BETWEEN %(low)s AND %(high)s
    RETURNING 1
)
SELECT count(*) FROM joined;
END
