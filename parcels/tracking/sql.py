"""The single query of the tracking page, as a database function.

Planning its look-ups in partitioned tables takes six times as long as executing them. Courier, tier and
cities are returned as ids, because every process caches their names. Revisions are read only if there are
any: the commitment also has the latest one. All is arrays, not objects: names would take longer than values.
The parcel is its own home: on a cluster, the worker that has it answers alone.
"""

from typing import Final

from alliance.database.stored_functions import StoredStatement

# NULL if the parcel does not exist or is out of scope.
TRACKED_PARCEL: Final = StoredStatement(
    "parcels_tracked_parcel",
    parameters={"home": "bigint"},
    returns={"told": "text"},
    is_stable=True,
    is_value=True,
    at_home=True,
    of_parcel=True,
    body="""
DECLARE
    parcel text;
    delivery text;
    is_revised boolean;
    scans text;
    revisions text;
BEGIN
    SELECT json_build_array(id, courier_id, tier_id, origin_id, destination_id, source, status, status_at,
            booked_at, ready_at, deliver_by, picked_up_at, departed_at, arrived_at, out_for_delivery_at,
            cancelled_at, merchant_id, return_of_id, returned_by_id,
            return_cancelled_at, pieces, order_id)
        INTO parcel FROM parcels_parcel WHERE id = %(home)s;
    IF parcel IS NULL THEN
        RETURN NULL;
    END IF;
    SELECT json_build_array(due_at, revised_due_at, reached_at, outcome, excused, delivered_at, lost_at,
            version_id), revised_due_at IS NOT NULL
        INTO delivery, is_revised
        FROM slas_commitment WHERE parcel_id = %(home)s AND kind = 'delivery';
    SELECT json_agg(json_build_array(event_key, code, occurred_at, received_at, reason, facility, consent,
            corrects))
        INTO scans FROM parcels_scan WHERE parcel_id = %(home)s;
    IF is_revised THEN
        SELECT json_agg(json_build_array(previous_due_at, due_at, requested_by, judged, created_at)
                ORDER BY id)
            INTO revisions FROM slas_revision WHERE parcel_id = %(home)s AND kind = 'delivery';
    END IF;
    RETURN left(parcel, -1) || ',' || coalesce(delivery, 'null') || ',' || coalesce(scans, '[]') || ','
        || coalesce(revisions, '[]') || ']';
END""",
)
