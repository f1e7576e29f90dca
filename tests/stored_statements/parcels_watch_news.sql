-- parcels_watch_news, stable
-- takes home bigint
-- takes since timestamptz
-- takes troubled text[]
-- returns of_parcel bigint

BEGIN
RETURN QUERY
SELECT DISTINCT parcel_id FROM alliance_event e
WHERE at > %(since)s AND (
    topic = 'parcel.status_changed' AND payload->>'status' = ANY(%(troubled)s)
    OR topic = 'parcel.contradicted'
    OR EXISTS (SELECT 1 FROM slas_watchitem w WHERE w.parcel_id = e.parcel_id)
);
END
