-- alliance_claim_key, volatile
-- takes number bigint
-- takes organisation_id bigint
-- takes route text
-- takes key text
-- takes since timestamptz
-- returns is_ours boolean
-- returns kept_hash text
-- returns kept_status int
-- returns kept_answer text

BEGIN
    is_ours := pg_try_advisory_xact_lock(%(number)s);
    IF is_ours THEN
        SELECT r.body_hash, r.status, r.answer INTO kept_hash, kept_status, kept_answer
        FROM alliance_idempotentrequest r
        WHERE r.organisation_id = %(organisation_id)s AND r.route = %(route)s AND r.key = %(key)s
            AND r.created_at > %(since)s;
    END IF;
    RETURN NEXT;
END
