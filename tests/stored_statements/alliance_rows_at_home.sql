-- alliance_rows_at_home, stable
-- takes home bigint
-- takes query text
-- takes given text[]
-- returns told text

BEGIN
    RETURN QUERY EXECUTE 'SELECT to_json(q)::text FROM (' || %(query)s || ') AS q' USING %(given)s;
END
