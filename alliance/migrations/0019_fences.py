"""The function that asks a worker of a cluster, and fences it off: see alliance/database/fencing.py.

It is the owner's, who may change pg_dist_poolinfo if a superuser has granted it. The server's role can only
have a worker be nowhere, not somewhere else.
"""

from django.db import migrations

from alliance.database.postgresql.fences import NOWHERE

# To be asked, a worker needs its own address: its fence is taken away, and put up again by the exception.
_FUNCTION = f"""
CREATE FUNCTION alliance_ask_worker(node integer, milliseconds integer, fence boolean) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $function$
DECLARE
    begun CONSTANT timestamptz := clock_timestamp();
    host text;
    port integer;
BEGIN
    SELECT nodename, nodeport INTO host, port FROM pg_dist_node WHERE nodeid = node;
    EXECUTE 'SET LOCAL citus.node_connection_timeout = ' || milliseconds;
    BEGIN
        DELETE FROM pg_dist_poolinfo WHERE nodeid = node AND poolinfo = '{NOWHERE}';
        IF citus_check_connection_to_node(host, port)
            OR clock_timestamp() < begun + milliseconds * interval '1 millisecond'
        THEN
            RETURN false;
        END IF;
        RAISE EXCEPTION USING ERRCODE = 'AL002';
    EXCEPTION WHEN SQLSTATE 'AL002' THEN
        IF fence THEN
            INSERT INTO pg_dist_poolinfo (nodeid, poolinfo) VALUES (node, '{NOWHERE}')
            ON CONFLICT DO NOTHING;
        END IF;
    END;
    RETURN true;
END
$function$
"""  # noqa: S608 -- a constant
_SIGNATURE = "FUNCTION alliance_ask_worker(integer, integer, boolean)"


class Migration(migrations.Migration):
    dependencies = [("alliance", "0018_settings_function")]

    operations = [
        migrations.RunSQL(_FUNCTION, f"DROP {_SIGNATURE}"),
        migrations.RunSQL(f"REVOKE EXECUTE ON {_SIGNATURE} FROM PUBLIC", migrations.RunSQL.noop),
    ]
