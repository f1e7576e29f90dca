-- parcels_pieces_of_order, stable
-- takes home bigint
-- takes low bigint
-- takes high bigint
-- returns id bigint
-- returns piece int
-- returns status text

BEGIN
    RETURN QUERY
    SELECT p.id, p.piece::int, (CASE WHEN EXISTS (
            SELECT 1 FROM slas_commitment c
            WHERE c.parcel_id = p.id AND c.kind = 'delivery' AND c.lost_at IS NOT NULL
                AND c.delivered_at IS NULL
        ) THEN 'lost' ELSE p.status END)::text
    FROM parcels_parcel p
    WHERE p.id BETWEEN %(low)s AND %(high)s AND p.order_id = %(home)s
    ORDER BY p.piece;
END
