-- parcels_put_on_manifest, volatile
-- takes home bigint
-- takes low bigint
-- takes high bigint
-- takes parcel_id bigint[]
-- takes manifest bigint
-- returns of_parcel bigint

BEGIN
    RETURN QUERY
    UPDATE parcels_parcel p SET manifest_id = %(manifest)s
    WHERE p.id = ANY(%(parcel_id)s) AND p.id BETWEEN %(low)s AND %(high)s
    RETURNING p.id;
END
