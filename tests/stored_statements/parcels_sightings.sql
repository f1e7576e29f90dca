-- parcels_sightings, stable
-- takes home bigint
-- takes low bigint
-- takes high bigint
-- takes parcel_id bigint[]
-- returns id bigint
-- returns merchant_id bigint
-- returns courier_id bigint
-- returns tier_id smallint
-- returns origin_id integer
-- returns destination_id integer
-- returns booked_at timestamptz
-- returns pickup_by timestamptz
-- returns last_scan_at timestamptz
-- returns status text
-- returns comes_back boolean
-- returns is_lost boolean
-- returns due_at timestamptz
-- returns outcome text
-- returns revised_due_at timestamptz
-- returns contradicted_at timestamptz
-- returns ready_at timestamptz
-- returns picked_up_at timestamptz
-- returns departed_at timestamptz
-- returns arrived_at timestamptz
-- returns out_for_delivery_at timestamptz

BEGIN
RETURN QUERY
SELECT p.id, p.merchant_id, p.courier_id, p.tier_id, p.origin_id, p.destination_id, p.booked_at, p.pickup_by,
    p.last_scan_at, p.status::text, p.returned_by_id IS NOT NULL AND p.return_cancelled_at IS NULL,
    c.lost_at IS NOT NULL, c.due_at, c.outcome::text,
    c.revised_due_at,
        p.contradicted_at,
        p.ready_at,
        p.picked_up_at,
        p.departed_at,
        p.arrived_at,
        p.out_for_delivery_at
FROM unnest(%(parcel_id)s) AS k (id)
CROSS JOIN LATERAL (
    SELECT * FROM parcels_parcel WHERE id = k.id AND id BETWEEN %(low)s AND %(high)s OFFSET 0
) p
CROSS JOIN LATERAL (
    SELECT * FROM slas_commitment
    WHERE parcel_id = k.id AND kind = 'delivery' AND parcel_id BETWEEN %(low)s AND %(high)s
    OFFSET 0
) c;
END
