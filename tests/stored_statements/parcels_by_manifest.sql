-- parcels_by_manifest, stable
-- takes home bigint
-- takes manifests bigint[]
-- takes low bigint
-- takes high bigint
-- returns manifest bigint
-- returns has_status text
-- returns n bigint

BEGIN
    RETURN QUERY
    SELECT manifest_id, status::text, count(*) FROM parcels_parcel
    WHERE manifest_id = ANY(%(manifests)s) AND id BETWEEN %(low)s AND %(high)s
    GROUP BY manifest_id, status;
END
