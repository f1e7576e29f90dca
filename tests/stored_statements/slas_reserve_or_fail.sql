-- slas_reserve_or_fail, volatile
-- takes offer_id bigint[]
-- takes date date[]
-- takes n int[]
-- returns has_room boolean

BEGIN
    IF (SELECT has_room FROM slas_reserve_e18d35c82002(%(offer_id)s, %(date)s, %(n)s)) THEN
        RETURN true;
    END IF;
    RAISE EXCEPTION 'there is no room' USING ERRCODE = 'AL002';
END
