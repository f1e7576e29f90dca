-- parcels_pieces_of_order, stable
-- takes home bigint
-- takes low bigint
-- takes high bigint
-- returns id bigint
-- returns piece int
-- returns status text

BEGIN
    RETURN QUERY
    SELECT p.id, p.piece::int, p.status::text
    FROM parcels_parcel p
    WHERE p.id BETWEEN %(low)s AND %(high)s AND p.order_id = %(home)s
    ORDER BY p.piece;
END
