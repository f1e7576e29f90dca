-- parcels_tracked_parcel, stable
-- takes parcel_id bigint
-- returns told text

DECLARE
    is_revised boolean;
BEGIN
    SELECT row_to_json(parcel), parcel.is_revised INTO told, is_revised FROM (
        SELECT p.id, p.courier_id, p.tier_id, p.origin_id, p.destination_id, p.source, p.status, p.status_at,
            p.booked_at, p.ready_at, p.deliver_by, p.picked_up_at, p.departed_at, p.arrived_at,
            p.out_for_delivery_at, p.cancelled_at,
            c.revised_due_at IS NOT NULL AS is_revised,
            CASE WHEN c.parcel_id IS NOT NULL THEN json_build_array(
                c.due_at, c.revised_due_at, c.reached_at, c.outcome, c.excused, c.delivered_at, c.lost_at,
                c.version_id
            ) END AS delivery,
            (SELECT coalesce(json_agg(json_build_array(
                event_key, code, occurred_at, received_at, reason, facility, consent, corrects
            )), '[]') FROM parcels_scan WHERE parcel_id = %(parcel_id)s) AS scans
        FROM parcels_parcel p LEFT JOIN slas_commitment c
            ON c.parcel_id = %(parcel_id)s AND c.kind = 'delivery'
        WHERE p.id = %(parcel_id)s
    ) parcel;
    IF is_revised THEN
        told := left(told, -1) || ',"revisions":' || (
            SELECT coalesce(json_agg(r), '[]') FROM (
                SELECT previous_due_at, due_at, requested_by, judged, created_at
                FROM slas_revision WHERE parcel_id = %(parcel_id)s AND kind = 'delivery' ORDER BY id
            ) r
        ) || '}';
    END IF;
    RETURN NEXT;
END
