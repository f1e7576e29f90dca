-- parcels_forget_webhooks, volatile
-- takes home bigint
-- takes before timestamptz
-- takes most integer
-- returns forgotten bigint

DECLARE
    count_forgotten bigint;
BEGIN
DELETE FROM parcels_webhookdelivery d USING (
    SELECT id, parcel_id FROM parcels_webhookdelivery
    WHERE at < %(before)s AND coalesce(attempted_at, at) < %(before)s LIMIT %(most)s
) k
WHERE d.id = k.id AND d.parcel_id = k.parcel_id;
GET DIAGNOSTICS count_forgotten = ROW_COUNT;
RETURN QUERY SELECT count_forgotten;
END
