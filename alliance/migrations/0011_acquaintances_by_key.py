"""Ask whether two organisations know each other by the key of one row, not by all that one of them knows."""

from typing import Final

from django.db import migrations

# In PL/pgSQL, which keeps plans: it is asked for every name a courier reads. Runs with the rights and the scope of
# who asks. The scopes of a user and a key are read where there are members and keys; the others on any node. Its
# cost keeps the planner from asking for many rows what it can ask for a few.
KNOWS: Final = """
CREATE OR REPLACE FUNCTION alliance_knows(scope text, organisation bigint) RETURNS boolean
LANGUAGE plpgsql STABLE COST 5000 AS $$
DECLARE
    own bigint := substring(scope FROM '^[a-z]+:([0-9]{1,18})$')::bigint;
BEGIN
    IF scope LIKE 'courier:%' THEN
        RETURN EXISTS (SELECT 1 FROM alliance_acquaintance
            WHERE merchant_id = organisation AND courier_id = own);
    ELSIF scope LIKE 'merchant:%' THEN
        RETURN EXISTS (SELECT 1 FROM alliance_acquaintance
            WHERE courier_id = organisation AND merchant_id = own);
    ELSIF scope LIKE 'user:%' THEN
        RETURN EXISTS (SELECT 1 FROM alliance_member
            WHERE organisation_id = organisation AND user_id = own);
    ELSIF scope LIKE 'key:%' THEN
        RETURN EXISTS (SELECT 1 FROM alliance_apikey
            WHERE organisation_id = organisation AND prefix = substring(scope FROM 5));
    END IF;
    RETURN false;
END
$$
"""
KNOWS_BEFORE: Final = """
CREATE OR REPLACE FUNCTION alliance_knows(scope text, organisation bigint) RETURNS boolean
LANGUAGE plpgsql STABLE COST 100 AS $$
BEGIN
    IF scope LIKE 'courier:%' THEN
        RETURN EXISTS (SELECT 1 FROM alliance_acquaintance
            WHERE merchant_id = organisation AND 'courier:' || courier_id = scope);
    ELSIF scope LIKE 'merchant:%' THEN
        RETURN EXISTS (SELECT 1 FROM alliance_acquaintance
            WHERE courier_id = organisation AND 'merchant:' || merchant_id = scope);
    ELSIF scope LIKE 'user:%' THEN
        RETURN EXISTS (SELECT 1 FROM alliance_member
            WHERE organisation_id = organisation AND 'user:' || user_id = scope);
    ELSIF scope LIKE 'key:%' THEN
        RETURN EXISTS (SELECT 1 FROM alliance_apikey
            WHERE organisation_id = organisation AND 'key:' || prefix = scope);
    END IF;
    RETURN false;
END
$$
"""


class Migration(migrations.Migration):
    dependencies = [("alliance", "0010_indexes_of_names")]

    operations = [migrations.RunSQL(KNOWS, KNOWS_BEFORE)]
