-- slas_store_watch_items, volatile
-- takes home bigint
-- takes low bigint
-- takes high bigint
-- takes now timestamptz
-- takes parcel_id bigint[]
-- takes reason text[]
-- takes merchant_id bigint[]
-- takes courier_id bigint[]
-- takes tier_id int[]
-- takes origin_id int[]
-- takes destination_id int[]
-- takes due_at timestamptz[]
-- takes stage text[]
-- takes stage_at timestamptz[]
-- takes chance float8[]
-- takes p50_at timestamptz[]
-- takes p90_at timestamptz[]
-- takes is_in_trouble boolean[]
-- returns stored bool

BEGIN
INSERT INTO slas_watchitem (id,
    parcel_id,
    reason,
    merchant_id,
    courier_id,
    tier_id,
    origin_id,
    destination_id,
    due_at,
    stage,
    stage_at,
    chance,
    p50_at,
    p90_at,
    is_in_trouble,
    refreshed_at)
SELECT nextval('slas_watchitem_id_seq'), *, %(now)s
FROM unnest(%(parcel_id)s,
    %(reason)s,
    %(merchant_id)s,
    %(courier_id)s,
    %(tier_id)s,
    %(origin_id)s,
    %(destination_id)s,
    %(due_at)s,
    %(stage)s,
    %(stage_at)s,
    %(chance)s,
    %(p50_at)s,
    %(p90_at)s,
    %(is_in_trouble)s)
ON CONFLICT (parcel_id, reason) DO UPDATE SET
    due_at = excluded.due_at,
        stage = excluded.stage,
        stage_at = excluded.stage_at,
        chance = excluded.chance,
        p50_at = excluded.p50_at,
        p90_at = excluded.p90_at,
        is_in_trouble = excluded.is_in_trouble,
        refreshed_at = excluded.refreshed_at;
RETURN true;
END
