-- slas_watch_candidates, stable
-- takes home bigint
-- takes now timestamptz
-- takes until timestamptz
-- takes since timestamptz
-- takes near timestamptz
-- takes turns int[]
-- returns of_parcel bigint

BEGIN
RETURN QUERY
SELECT parcel_id FROM slas_commitment
WHERE outcome = 'pending' AND due_at <= %(until)s AND (kind = 'delivery' OR due_at < %(now)s)
    AND (due_at <= %(near)s OR mod(parcel_id, 6) = ANY(%(turns)s))
UNION SELECT parcel_id FROM slas_commitment WHERE outcome = 'overdue' AND due_at > %(since)s
UNION SELECT parcel_id FROM slas_watchitem
WHERE reason <> 'at_risk' OR due_at <= %(near)s OR mod(parcel_id, 6) = ANY(%(turns)s);
END
