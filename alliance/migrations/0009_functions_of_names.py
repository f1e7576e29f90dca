"""Functions that find organisations and users by any part of their names.

No policy lets a search use a trigram index, whose operators are not leakproof. So they run as the owner of the
tables, who is exempt from the policies, and show no more than those would.
"""

from typing import Any, ClassVar, Final

from django.contrib.postgres.operations import TrigramExtension
from django.db import migrations

# Each letter of a name, and each two that stand together. A trigram index is of no help with these, and most words
# of Chinese have two.
PIECES: Final = """
CREATE FUNCTION alliance_pieces(name text) RETURNS text[] LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT letters || ARRAY(SELECT one || next FROM unnest(letters, letters[2:]) AS pair (one, next)
        WHERE next IS NOT NULL)
    FROM (SELECT string_to_array(lower(name), NULL) AS letters) AS spelt
$$
"""

# What many are called is found among the newest 5,000: an index would give millions before the first. What few are
# called is found by the index of its parts. If that gives many after all, because the newest are unlike the others,
# all are looked through until there are enough.
SEARCH: Final = """
    EXECUTE format('SELECT coalesce(array_agg(id ORDER BY id %s) FILTER (WHERE %s), ''{}''), count(*)'
        ' FROM (%s LIMIT %s) AS newest', sort, matches, walk, CASE WHEN is_little THEN 'ALL' ELSE '5000' END)
        INTO found, seen USING term, pattern;
    IF cardinality(found) < most AND seen = 5000 AND NOT is_little THEN
        EXECUTE format('SELECT ARRAY(SELECT id FROM <table> WHERE %s LIMIT 20001)', indexed)
            INTO found USING term, pattern;
        IF cardinality(found) <= 20000 THEN
            EXECUTE format('SELECT ARRAY(SELECT id FROM <table> AS o WHERE id = ANY ($1) AND id %s AND %s'
                ' ORDER BY id %s LIMIT %s)', past, condition, sort, most) INTO found USING found;
        ELSE
            EXECUTE format('SELECT ARRAY(SELECT id FROM (%s OFFSET 0) AS every WHERE %s ORDER BY id %s LIMIT %s)',
                walk, matches, sort, most) INTO found USING term, pattern;
        END IF;
    END IF;
    RETURN QUERY SELECT unnest(found[:most]);
"""

DECLARE: Final = """
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = <schema>, pg_temp SET enable_seqscan = off SET jit = off
AS $$
DECLARE
    scope text := nullif(current_setting('alliance.scope', true), '');
    own bigint := substring(scope FROM '^(?:merchant|courier|user):([0-9]+)$');
    pattern text := '%' || regexp_replace(term, '([\\\\%_])', '\\\\\\1', 'g') || '%';
    is_short boolean := term !~ '[[:alnum:]]{3}';
    matches text := CASE WHEN is_short THEN '<short>' ELSE '<matches>' END;
    -- Not by the name itself, or its trigrams might be asked, too, and all of them be read.
    indexed text := CASE WHEN NOT is_short THEN matches ELSE replace(matches, 'name ILIKE',
        'alliance_pieces(name) @> alliance_pieces($1) AND name || '''' ILIKE') END;
    sort text := CASE WHEN upwards THEN 'ASC' ELSE 'DESC' END;
    past text := format('%s %s', CASE WHEN upwards THEN '>' ELSE '<' END,
        coalesce(beyond, CASE WHEN upwards THEN -1 ELSE 9223372036854775807 END));
    found bigint[];
    seen bigint;
    -- What the scope shows, in order; whether it is little; and what each of its rows fulfils.
    walk text;
    is_little boolean := false;
    condition text := 'true';
"""

# Names of others than oneself. A merchant's scope shows couriers, which are few, a courier's the merchants that it
# has parcels of, which may be most of them; the policy of organisations says the same. The scopes of a key and of a
# parcel look nobody up.
ORGANISATIONS: Final = """
CREATE FUNCTION alliance_organisations_named(
    term text, of_kind text, beyond bigint, upwards boolean, most integer
) RETURNS SETOF bigint <declare>
    of_that_kind text := CASE WHEN of_kind = '' THEN '' ELSE format(' AND kind = %L', of_kind) END;
BEGIN
    IF scope = 'all' THEN
        walk := format('SELECT id, name, slug FROM alliance_organisation WHERE id %s%s ORDER BY id %s',
            past, of_that_kind, sort);
        is_little := of_kind NOT IN ('', 'merchant');
        condition := 'true' || of_that_kind;
    ELSIF scope LIKE 'courier:%' AND own IS NOT NULL AND of_kind IN ('', 'merchant') THEN
        walk := format('SELECT o.id, o.name, o.slug FROM alliance_acquaintance AS a JOIN alliance_organisation AS o'
            ' ON o.id = a.merchant_id WHERE a.courier_id = %s AND a.merchant_id %s ORDER BY a.merchant_id %s',
            own, past, sort);
        condition := format(
            'EXISTS (SELECT 1 FROM alliance_acquaintance WHERE merchant_id = o.id AND courier_id = %s)', own);
    ELSIF own IS NOT NULL THEN
        walk := format('SELECT id, name, slug FROM alliance_organisation WHERE id IN (%s) AND id %s%s',
            CASE WHEN scope LIKE 'merchant:%' THEN 'SELECT id FROM alliance_organisation'
                ' WHERE kind = ''courier'' AND status <> ''applicant'' UNION ALL'
                ' SELECT courier_id FROM alliance_acquaintance WHERE merchant_id = ' || own
            WHEN scope LIKE 'user:%' THEN 'SELECT organisation_id FROM alliance_member WHERE user_id = ' || own
            ELSE 'NULL' END, past, of_that_kind);
        is_little := true;
    ELSE
        RETURN;
    END IF;
<search>
END
$$
"""

# Of all users, as ops see them; members see their colleagues, who are few. Fewer than three letters are looked for in
# names only: hardly an address is without them.
USERS: Final = """
CREATE FUNCTION alliance_users_named(
    term text, beyond bigint, upwards boolean, most integer
) RETURNS SETOF bigint <declare>
BEGIN
    IF scope IS DISTINCT FROM 'all' THEN
        RETURN;
    END IF;
    walk := format('SELECT id, name, email FROM alliance_user WHERE id %s ORDER BY id %s', past, sort);
<search>
END
$$
"""
FUNCTIONS: Final = {
    "alliance_organisations_named(text, text, bigint, boolean, integer)": (
        ORGANISATIONS, "alliance_organisation", "(name ILIKE $2 OR slug = $1)", "(name ILIKE $2 OR slug = $1)",
    ),
    "alliance_users_named(text, bigint, boolean, integer)": (
        USERS, "alliance_user", "(name || '' '' || email) ILIKE $2", "name ILIKE $2",
    ),
}  # fmt: skip


def make(apps: Any, schema_editor: Any) -> None:
    with schema_editor.connection.cursor() as cursor:
        cursor.execute("SELECT quote_ident(current_schema())")
        [schema] = cursor.fetchone()
        for signature, (function, table, matches, short) in FUNCTIONS.items():
            parts = {
                "declare": DECLARE, "search": SEARCH, "schema": schema, "table": table, "matches": matches,
                "short": short,
            }  # fmt: skip
            for name, part in parts.items():
                function = function.replace(f"<{name}>", part)  # noqa: PLW2901 -- filled in step by step
            cursor.execute(function)
            cursor.execute(f"REVOKE EXECUTE ON FUNCTION {signature} FROM PUBLIC")


def drop(apps: Any, schema_editor: Any) -> None:
    for signature in FUNCTIONS:
        schema_editor.execute(f"DROP FUNCTION {signature}")


class Migration(migrations.Migration):
    lint_ignore: ClassVar = {"python-in-migration": "makes functions only"}
    dependencies = [("alliance", "0008_saved_views")]

    operations = [
        TrigramExtension(),
        migrations.RunSQL(PIECES, "DROP FUNCTION alliance_pieces(text)"),
        migrations.RunPython(make, drop),
    ]
