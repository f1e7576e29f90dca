-- slas_reserve, volatile
-- takes offer_id bigint[]
-- takes date date[]
-- takes n int[]
-- returns has_room boolean

DECLARE
    taken int;
BEGIN

INSERT INTO slas_capacityday (id, offer_id, courier_id, date, "limit", reserved)
SELECT nextval('slas_capacityday_id_seq'), o.id, o.courier_id, w.date, o.daily_capacity, 0
FROM unnest(%(offer_id)s::bigint[], %(date)s::date[]) AS w(offer_id, date)
JOIN slas_offer o ON o.id = w.offer_id
WHERE NOT EXISTS (SELECT 1 FROM slas_capacityday d WHERE d.offer_id = w.offer_id AND d.date = w.date)
ORDER BY o.id, w.date
ON CONFLICT (offer_id, date) DO NOTHING
;
    WITH wanted AS (
        SELECT * FROM unnest(%(offer_id)s, %(date)s, %(n)s) AS w(offer_id, date, n)
    ), locked AS (
        SELECT d.id, w.n FROM slas_capacityday d JOIN wanted w ON w.offer_id = d.offer_id AND w.date = d.date
        ORDER BY d.offer_id, d.date FOR UPDATE OF d
    )
    UPDATE slas_capacityday d SET reserved = d.reserved + l.n
    FROM locked l WHERE d.id = l.id AND d.reserved + l.n <= d."limit";
    GET DIAGNOSTICS taken = ROW_COUNT;
    IF taken < cardinality(%(n)s) THEN
        RAISE no_data_found;
    END IF;
    has_room := true;
    RETURN NEXT;
EXCEPTION WHEN no_data_found THEN
    has_room := false;
    RETURN NEXT;
END
