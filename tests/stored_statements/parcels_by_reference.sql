-- parcels_by_reference, stable
-- takes home bigint
-- takes merchant_id bigint
-- takes oldest bigint
-- takes reference text[]
-- returns reference text
-- returns id bigint
-- returns recipient_name text
-- returns recipient_phone text
-- returns piece int
-- returns order_id bigint

BEGIN
    RETURN QUERY
    SELECT DISTINCT ON (reference, piece) reference::text, id, recipient_name::text, recipient_phone::text,
        piece::int, order_id
    FROM parcels_parcel
    WHERE merchant_id = %(merchant_id)s AND id >= %(oldest)s AND reference = ANY(%(reference)s)
        AND reference <> '' AND status <> 'cancelled'
    ORDER BY reference, piece, id;
END
