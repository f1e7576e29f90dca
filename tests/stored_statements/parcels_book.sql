-- parcels_book, volatile
-- takes reserved_offer_id bigint[]
-- takes reserved_date date[]
-- takes reserved_n int[]
-- takes home bigint
-- takes merchant_id bigint
-- takes source text
-- takes at timestamptz
-- takes id bigint[]
-- takes courier_id bigint[]
-- takes tier_id int[]
-- takes origin_id int[]
-- takes destination_id int[]
-- takes offer_id bigint[]
-- takes version_id bigint[]
-- takes pickup_address_id bigint[]
-- takes reference text[]
-- takes recipient_name text[]
-- takes recipient_phone text[]
-- takes recipient_address text[]
-- takes weight_g int[]
-- takes fee_fen int[]
-- takes declared_value_fen int[]
-- takes ready_at timestamptz[]
-- takes pickup_date date[]
-- takes pickup_by timestamptz[]
-- takes deliver_by timestamptz[]
-- takes piece smallint[]
-- takes pieces smallint[]
-- takes order_id bigint[]
-- takes rule_position smallint[]
-- takes rule_name text[]
-- takes pickup_due date[]
-- takes delivery_due date[]
-- takes payload text[]
-- returns written_ids bigint[]

BEGIN
    IF %(reserved_n)s <> '{}'
        AND NOT (SELECT has_room
        FROM slas_reserve_e18d35c82002(%(reserved_offer_id)s,
        %(reserved_date)s,
        %(reserved_n)s)) THEN
        RETURN NULL;
    END IF;
    RETURN parcels_write_bookings_af9d3c771982(%(home)s,
        %(merchant_id)s,
        %(source)s,
        %(at)s,
        %(id)s,
        %(courier_id)s,
        %(tier_id)s,
        %(origin_id)s,
        %(destination_id)s,
        %(offer_id)s,
        %(version_id)s,
        %(pickup_address_id)s,
        %(reference)s,
        %(recipient_name)s,
        %(recipient_phone)s,
        %(recipient_address)s,
        %(weight_g)s,
        %(fee_fen)s,
        %(declared_value_fen)s,
        %(ready_at)s,
        %(pickup_date)s,
        %(pickup_by)s,
        %(deliver_by)s,
        %(piece)s,
        %(pieces)s,
        %(order_id)s,
        %(rule_position)s,
        %(rule_name)s,
        %(pickup_due)s,
        %(delivery_due)s,
        %(payload)s);
END
