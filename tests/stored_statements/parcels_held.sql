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
-- returns request bigint
-- returns ready timestamptz
-- returns promised_by timestamptz
-- returns grams int

BEGIN
RETURN QUERY
SELECT id, merchant_id, courier_id, origin_id, pickup_address_id, pickup_date, status::text, manifest_id,
    pickup_id, ready_at, pickup_by, weight_g
FROM parcels_parcel
WHERE id = ANY(%(parcel_id)s) AND id BETWEEN %(low)s AND %(high)s
ORDER BY id
FOR NO KEY UPDATE;
END
