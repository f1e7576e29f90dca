-- parcels_hold_for_pickup, volatile
-- takes home bigint
-- takes low bigint
-- takes high bigint
-- takes of_merchant bigint
-- takes parcel_id bigint[]
-- returns of_parcel bigint
-- returns has_status text
-- returns courier bigint
-- returns address bigint
-- returns city int
-- returns ready timestamptz
-- returns promised_by timestamptz
-- returns request bigint
-- returns grams int

BEGIN
RETURN QUERY
SELECT id, status::text, courier_id, pickup_address_id, origin_id, ready_at, pickup_by, pickup_id, weight_g
FROM parcels_parcel
WHERE id = ANY(%(parcel_id)s) AND id BETWEEN %(low)s AND %(high)s AND merchant_id = %(of_merchant)s
ORDER BY id
FOR NO KEY UPDATE;
END
