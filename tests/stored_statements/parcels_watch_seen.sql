-- parcels_watch_seen, stable
-- takes home bigint
-- takes first timestamptz
-- takes last timestamptz
-- takes since timestamptz
-- takes oldest bigint
-- takes final text[]
-- returns of_parcel bigint

BEGIN
RETURN QUERY
SELECT parcel_id FROM parcels_scan
WHERE occurred_at > %(first)s AND occurred_at <= %(last)s
    AND parcel_id >= %(oldest)s AND code <> ALL(%(final)s)
UNION
SELECT parcel_id FROM parcels_scan
WHERE received_at > %(since)s AND occurred_at <= %(first)s
    AND parcel_id >= %(oldest)s AND code <> ALL(%(final)s);
END
