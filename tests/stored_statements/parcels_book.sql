-- parcels_book, volatile
-- takes merchant_id bigint
-- takes source text
-- takes at timestamptz
-- takes reserved_offer_id bigint[]
-- takes reserved_date date[]
-- takes reserved_n int[]
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
-- takes ready_at timestamptz[]
-- takes pickup_date date[]
-- takes pickup_by timestamptz[]
-- takes deliver_by timestamptz[]
-- takes pickup_due date[]
-- takes delivery_due date[]
-- takes payload text[]
-- returns written_ids bigint[]

BEGIN
    IF %(reserved_n)s <> '{}'
        AND NOT (SELECT has_room
        FROM slas_reserve_da70b63e8cba(%(reserved_offer_id)s,
        %(reserved_date)s,
        %(reserved_n)s)) THEN
        RETURN NEXT;
        RETURN;
    END IF;
    IF cardinality(%(id)s) = 1 THEN
        INSERT INTO parcels_parcel (id,
            courier_id,
            tier_id,
            origin_id,
            destination_id,
            offer_id,
            version_id,
            pickup_address_id,
            reference,
            recipient_name,
            recipient_phone,
            recipient_address,
            weight_g,
            fee_fen,
            ready_at,
            pickup_date,
            pickup_by,
            deliver_by,
            merchant_id,
            source,
            booked_at,
            status,
            status_at, corrected)
        VALUES (%(id)s[1],
            %(courier_id)s[1],
            %(tier_id)s[1],
            %(origin_id)s[1],
            %(destination_id)s[1],
            %(offer_id)s[1],
            %(version_id)s[1],
            %(pickup_address_id)s[1],
            %(reference)s[1],
            %(recipient_name)s[1],
            %(recipient_phone)s[1],
            %(recipient_address)s[1],
            %(weight_g)s[1],
            %(fee_fen)s[1],
            %(ready_at)s[1],
            %(pickup_date)s[1],
            %(pickup_by)s[1],
            %(deliver_by)s[1],
            %(merchant_id)s,
            %(source)s,
            %(at)s,
            'booked',
            %(at)s,
            false)
        ON CONFLICT (id) DO NOTHING;
        written_ids := CASE WHEN FOUND THEN %(id)s ELSE '{}' END;
        IF FOUND THEN
            WITH
sla_changed AS (
    INSERT INTO slas_commitment AS c (parcel_id,
        kind,
        merchant_id,
        courier_id,
        tier_id,
        origin_id,
        destination_id,
        version_id,
        due_at,
        due_date,
        ready_at,
        fee_fen,
        outcome,
        excused,
        excuse_reason)
    SELECT parcel_id,
        kind,
        merchant_id,
        courier_id,
        tier_id,
        origin_id,
        destination_id,
        version_id,
        due_at,
        due_date,
        ready_at,
        fee_fen,
        'pending',
        false,
        ''
        FROM (VALUES (%(id)s[1],
        'pickup',
        %(merchant_id)s,
        %(courier_id)s[1],
        %(tier_id)s[1],
        %(origin_id)s[1],
        %(destination_id)s[1],
        %(version_id)s[1],
        %(pickup_by)s[1],
        %(pickup_due)s[1],
        %(ready_at)s[1],
        NULL::int),
            (%(id)s[1],
                'delivery',
                %(merchant_id)s,
                %(courier_id)s[1],
                %(tier_id)s[1],
                %(origin_id)s[1],
                %(destination_id)s[1],
                %(version_id)s[1],
                %(deliver_by)s[1],
                %(delivery_due)s[1],
                %(ready_at)s[1],
                %(fee_fen)s[1])) AS promised (parcel_id,
                kind,
                merchant_id,
                courier_id,
                tier_id,
                origin_id,
                destination_id,
                version_id,
                due_at,
                due_date,
                ready_at,
                fee_fen)
    ON CONFLICT (parcel_id, kind) DO NOTHING
    RETURNING c.parcel_id,
        c.kind,
        c.merchant_id,
        c.courier_id,
        c.tier_id,
        c.origin_id,
        c.destination_id,
        c.due_at,
        c.due_date,
        c.excused,
        c.excused AS was_excused,
        NULL::text AS before,
            c.outcome AS after,
            false AS moved,
            0 AS attempted,
            0 AS was_attempted,
            0 AS first_attempt,
            0 AS was_first_attempt,
            0 AS within_48h,
            0 AS was_within_48h,
            0 AS within_72h,
            0 AS was_within_72h,
            NULL::int[] AS marks
)
    INSERT INTO slas_tally (id, merchant_id, courier_id, tier_id, origin_id, destination_id, kind, due_date,
        pending, met, late, overdue, void, excused, attempted, first_attempt, within_48h, within_72h, marks)
    SELECT nextval('slas_tally_id_seq'),
        merchant_id,
        courier_id,
        tier_id,
        origin_id,
        destination_id,
        kind,
        due_date,
        (after = 'pending')::int - (coalesce(before,
            '') = 'pending')::int,
            (after = 'met')::int - (coalesce(before,
            '') = 'met')::int,
            (after = 'late')::int - (coalesce(before,
            '') = 'late')::int,
            (after = 'overdue')::int - (coalesce(before,
            '') = 'overdue')::int,
            (after = 'void')::int - (coalesce(before,
            '') = 'void')::int,
            (excused
            AND after IN ('overdue',
            'late'))::int - (was_excused
            AND coalesce(before,
            '') IN ('overdue',
            'late'))::int,
            attempted - was_attempted,
            first_attempt - was_first_attempt,
            within_48h - was_within_48h,
            within_72h - was_within_72h,
            marks
    FROM sla_changed
    WHERE before IS DISTINCT FROM after OR moved;
            INSERT INTO alliance_event (topic, at, merchant_id, courier_id, parcel_id, payload)
            VALUES ('parcel.booked', %(at)s, %(merchant_id)s,
                %(courier_id)s[1], %(id)s[1], %(payload)s[1]::jsonb);
        END IF;
        RETURN NEXT;
        RETURN;
    END IF;
    WITH booking (id,
        courier_id,
        tier_id,
        origin_id,
        destination_id,
        offer_id,
        version_id,
        pickup_address_id,
        reference,
        recipient_name,
        recipient_phone,
        recipient_address,
        weight_g,
        fee_fen,
        ready_at,
        pickup_date,
        pickup_by,
        deliver_by,
        pickup_due,
        delivery_due,
        payload) AS (
        SELECT *
            FROM unnest(%(id)s,
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
            %(ready_at)s,
            %(pickup_date)s,
            %(pickup_by)s,
            %(deliver_by)s,
            %(pickup_due)s,
            %(delivery_due)s,
            %(payload)s)
    ),
    written AS (
        INSERT INTO parcels_parcel (id,
            courier_id,
            tier_id,
            origin_id,
            destination_id,
            offer_id,
            version_id,
            pickup_address_id,
            reference,
            recipient_name,
            recipient_phone,
            recipient_address,
            weight_g,
            fee_fen,
            ready_at,
            pickup_date,
            pickup_by,
            deliver_by,
            merchant_id,
            source,
            booked_at,
            status,
            status_at, corrected)
        SELECT id,
            courier_id,
            tier_id,
            origin_id,
            destination_id,
            offer_id,
            version_id,
            pickup_address_id,
            reference,
            recipient_name,
            recipient_phone,
            recipient_address,
            weight_g,
            fee_fen,
            ready_at,
            pickup_date,
            pickup_by,
            deliver_by,
            %(merchant_id)s,
            %(source)s,
            %(at)s,
            'booked',
            %(at)s,
            false
            FROM booking
        ON CONFLICT (id) DO NOTHING
        RETURNING id
    ),
    new AS MATERIALIZED (SELECT booking.* FROM booking JOIN written USING (id)),
    promised (parcel_id,
        kind,
        merchant_id,
        courier_id,
        tier_id,
        origin_id,
        destination_id,
        version_id,
        due_at,
        due_date,
        ready_at,
        fee_fen) AS (
        SELECT id,
            'pickup',
            %(merchant_id)s,
            courier_id,
            tier_id,
            origin_id,
            destination_id,
            version_id,
            pickup_by,
            pickup_due,
            ready_at,
            NULL::int
            FROM new
        UNION ALL
        SELECT id,
            'delivery',
            %(merchant_id)s,
            courier_id,
            tier_id,
            origin_id,
            destination_id,
            version_id,
            deliver_by,
            delivery_due,
            ready_at,
            fee_fen
            FROM new
    ),

sla_changed AS (
    INSERT INTO slas_commitment AS c (parcel_id,
        kind,
        merchant_id,
        courier_id,
        tier_id,
        origin_id,
        destination_id,
        version_id,
        due_at,
        due_date,
        ready_at,
        fee_fen,
        outcome,
        excused,
        excuse_reason)
    SELECT parcel_id,
        kind,
        merchant_id,
        courier_id,
        tier_id,
        origin_id,
        destination_id,
        version_id,
        due_at,
        due_date,
        ready_at,
        fee_fen,
        'pending',
        false,
        ''
        FROM promised
    ON CONFLICT (parcel_id, kind) DO NOTHING
    RETURNING c.parcel_id,
        c.kind,
        c.merchant_id,
        c.courier_id,
        c.tier_id,
        c.origin_id,
        c.destination_id,
        c.due_at,
        c.due_date,
        c.excused,
        c.excused AS was_excused,
        NULL::text AS before,
            c.outcome AS after,
            false AS moved,
            0 AS attempted,
            0 AS was_attempted,
            0 AS first_attempt,
            0 AS was_first_attempt,
            0 AS within_48h,
            0 AS was_within_48h,
            0 AS within_72h,
            0 AS was_within_72h,
            NULL::int[] AS marks
),
sla_tallies AS (
    INSERT INTO slas_tally (id, merchant_id, courier_id, tier_id, origin_id, destination_id, kind, due_date,
        pending, met, late, overdue, void, excused, attempted, first_attempt, within_48h, within_72h, marks)
    SELECT nextval('slas_tally_id_seq'),
        merchant_id,
        courier_id,
        tier_id,
        origin_id,
        destination_id,
        kind,
        due_date,
        sum((after = 'pending')::int - (coalesce(before,
            '') = 'pending')::int),
            sum((after = 'met')::int - (coalesce(before,
            '') = 'met')::int),
            sum((after = 'late')::int - (coalesce(before,
            '') = 'late')::int),
            sum((after = 'overdue')::int - (coalesce(before,
            '') = 'overdue')::int),
            sum((after = 'void')::int - (coalesce(before,
            '') = 'void')::int),
            sum((excused
            AND after IN ('overdue',
            'late'))::int - (was_excused
            AND coalesce(before,
            '') IN ('overdue',
            'late'))::int),
            sum(attempted - was_attempted),
            sum(first_attempt - was_first_attempt),
            sum(within_48h - was_within_48h),
            sum(within_72h - was_within_72h),
            slas_concatenated(marks) FILTER (WHERE marks IS NOT NULL)
    FROM sla_changed
    WHERE before IS DISTINCT FROM after OR moved
    GROUP BY merchant_id, courier_id, tier_id, origin_id, destination_id, kind, due_date
    RETURNING 1
),
    announced AS (
        INSERT INTO alliance_event (topic, at, merchant_id, courier_id, parcel_id, payload)
        SELECT 'parcel.booked', %(at)s, %(merchant_id)s, courier_id, id, payload::jsonb FROM new
    )
    SELECT coalesce(array_agg(id), '{}') INTO written_ids FROM new;
    RETURN NEXT;
END
