-- parcels_of_manifest, stable
-- takes home bigint
-- takes manifest bigint
-- takes low bigint
-- takes high bigint
-- takes most int
-- returns of_parcel bigint
-- returns has_status text

BEGIN
    RETURN QUERY
    SELECT id, status::text FROM parcels_parcel
    WHERE manifest_id = %(manifest)s AND id BETWEEN %(low)s AND %(high)s
    ORDER BY id LIMIT %(most)s;
END
