-- parcels_held, volatile
-- takes home bigint
-- takes low bigint
-- takes high bigint
-- takes parcel_id bigint[]
-- returns of_parcel bigint
-- returns merchant bigint
-- returns courier bigint
-- returns origin int
-- returns address bigint
-- returns day date
-- returns has_status text
-- returns manifest bigint

BEGIN
    RETURN QUERY
    SELECT h.id, h.merchant_id, h.courier_id, h.origin_id, h.pickup_address_id, h.pickup_date,
        h.status::text, h.manifest_id
    FROM (
    SELECT id, merchant_id, courier_id, origin_id, pickup_address_id, pickup_date, status, manifest_id
    FROM parcels_parcel
    WHERE id = ANY(%(parcel_id)s) AND id BETWEEN %(low)s AND %(high)s
    ORDER BY id
    FOR NO KEY UPDATE) AS h ORDER BY h.id;
END
