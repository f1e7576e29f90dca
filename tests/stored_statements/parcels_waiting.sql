-- parcels_waiting, stable
-- takes home bigint
-- takes merchant bigint
-- takes courier bigint
-- takes origin int
-- takes address bigint
-- takes day date
-- takes low bigint
-- takes high bigint
-- takes most int
-- returns of_parcel bigint

BEGIN
    RETURN QUERY
    SELECT id FROM parcels_parcel
    WHERE merchant_id = %(merchant)s AND id BETWEEN %(low)s AND %(high)s AND courier_id = %(courier)s
        AND origin_id = %(origin)s AND (pickup_address_id = %(address)s OR pickup_address_id IS NULL)
        AND pickup_date <= %(day)s AND status = 'booked' AND manifest_id IS NULL
    ORDER BY id LIMIT %(most)s;
END
