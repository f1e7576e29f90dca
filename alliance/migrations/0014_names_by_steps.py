"""Names are looked for among few before they are looked for among many, and without case where there is none.

The functions of 0009, which search otherwise: a page of what many are called is among the newest few hundred, and each
row that is compared takes two microseconds, most of them for upper and lower case.
"""

from collections.abc import Iterable
from importlib import import_module
from typing import Any, ClassVar, Final

from django.db import migrations

before = import_module("alliance.migrations.0009_functions_of_names")

# What many are called is found among the newest few hundred or thousand: an index would give millions before the
# first. How many of those have it tells whether the next 40,000 have enough. What few are called is found by the index
# of its parts. If that gives many after all, because the newest are unlike the others, all are looked through until
# there are enough.
SEARCH: Final = """
    FOREACH size IN ARRAY CASE WHEN is_little THEN ARRAY[9223372036854775807] ELSE ARRAY[4 * most, 2000, 40000] END
    LOOP
        EXIT WHEN size = 40000 AND cardinality(found) < 0.075 * most;
        EXECUTE format('SELECT ARRAY(SELECT id FROM (%s LIMIT %s) AS newest WHERE %s ORDER BY id %s LIMIT %s)',
            walk, size, matches, sort, most) INTO found USING term, pattern;
        IF cardinality(found) >= most OR is_little THEN
            RETURN QUERY SELECT unnest(found);
            RETURN;
        END IF;
    END LOOP;
    EXECUTE format('SELECT ARRAY(SELECT id FROM (%s) AS parts LIMIT %s)', indexed, few + 1)
        INTO found USING term, pattern;
    IF cardinality(found) <= few THEN
        EXECUTE format('SELECT ARRAY(SELECT id FROM %s id %s AND %s ORDER BY id %s LIMIT %s)',
            CASE WHEN condition = 'true' THEN 'unnest($1) AS o (id) WHERE'
                ELSE '<table> AS o WHERE id = ANY ($1) AND' END, past, condition, sort, most)
            INTO found USING found;
    ELSE
        EXECUTE format('SELECT ARRAY(SELECT id FROM (%s OFFSET 0) AS every WHERE %s ORDER BY id %s LIMIT %s)',
            walk, matches, sort, most) INTO found USING term, pattern;
    END IF;
    RETURN QUERY SELECT unnest(found);
"""

DECLARE: Final = """
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = <schema>, pg_temp SET enable_seqscan = off SET jit = off
    SET max_parallel_workers_per_gather = 0
AS $$
DECLARE
    scope text := nullif(current_setting('alliance.scope', true), '');
    own bigint := substring(scope FROM '^(?:merchant|courier|user):([0-9]+)$');
    pattern text := '%' || regexp_replace(term, '([\\\\%_])', '\\\\\\1', 'g') || '%';
    is_short boolean := term !~ '[[:alnum:]]{3}';
    alike text := CASE WHEN lower(term) = upper(term) THEN 'LIKE' ELSE 'ILIKE' END;
    matches text := replace(CASE WHEN is_short THEN '<short>' ELSE '<matches>' END, 'ILIKE', alike);
    -- Not by the name itself, or its trigrams might be asked, too, and all of them be read. By pairs alone, as many
    -- more have their letters; and what is equal apart, or the pieces of each name found would be compared.
    indexed text := CASE WHEN NOT is_short THEN 'SELECT id FROM <table> WHERE ' || matches
        ELSE format('SELECT id FROM <table> WHERE alliance_pieces(name) @> %L AND name || '''' %s $2<apart>',
            ARRAY(SELECT piece FROM unnest(alliance_pieces(term)) AS piece
                WHERE length(piece) = least(2, length(term))), alike) END;
    sort text := CASE WHEN upwards THEN 'ASC' ELSE 'DESC' END;
    past text := format('%s %s', CASE WHEN upwards THEN '>' ELSE '<' END,
        coalesce(beyond, CASE WHEN upwards THEN -1 ELSE 9223372036854775807 END));
    found bigint[];
    size bigint;
    -- As many as are sorted at once.
    few integer := 20000;
    -- What the scope shows, in order; whether it is little; and what each of its rows fulfils.
    walk text;
    is_little boolean := false;
    condition text := 'true';
"""
APART: Final = " AND slug <> $1 UNION ALL SELECT id FROM alliance_organisation WHERE slug = $1"


def make(apps: Any, schema_editor: Any) -> None:
    replace_functions(schema_editor, before.FUNCTIONS.values())


def replace_functions(schema_editor: Any, functions: Iterable[tuple[str, str, str, str]]) -> None:
    """Make or replace functions: of each its text, its table, and its conditions for longer and shorter texts."""
    with schema_editor.connection.cursor() as cursor:
        cursor.execute("SELECT quote_ident(current_schema())")
        [schema] = cursor.fetchone()
        for function, table, matches, short in functions:
            parts = {
                "declare": DECLARE, "search": SEARCH, "schema": schema, "table": table, "matches": matches,
                "short": short, "apart": APART if "slug" in short else "",
            }  # fmt: skip
            text = function.replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION")
            for name, part in parts.items():
                text = text.replace(f"<{name}>", part)
            cursor.execute(text)


class Migration(migrations.Migration):
    lint_ignore: ClassVar = {"python-in-migration": "makes functions only"}
    dependencies = [("alliance", "0013_names_on_tracking_pages")]

    # Backwards they find the same.
    operations = [migrations.RunPython(make, migrations.RunPython.noop)]
