"""Documents of an approved application may be deleted by who sees all tenants: one that was replaced."""

from django.db import migrations

GUARD = """
CREATE OR REPLACE FUNCTION couriers_application_part_guard() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    part record;
    parent record;
    is_later boolean;
BEGIN
    IF TG_OP = 'DELETE' THEN part := OLD; ELSE part := NEW; END IF;
    SELECT state, organisation_id INTO parent FROM couriers_application WHERE id = part.application_id;
    is_later := parent.state = 'approved' AND (
        ((TG_TABLE_NAME = 'couriers_servicecity' OR TG_OP = 'DELETE') AND current_setting('alliance.scope', true) = 'all')
        OR (TG_TABLE_NAME = 'couriers_document' AND TG_OP = 'INSERT'));
    IF parent.state IS NULL OR (parent.state NOT IN ('draft', 'more_needed') AND NOT is_later) THEN
        RAISE EXCEPTION 'an application that is % cannot be edited', parent.state USING
            ERRCODE = 'check_violation', CONSTRAINT = 'application_frozen';
    END IF;
    IF parent.organisation_id <> part.organisation_id THEN
        RAISE EXCEPTION 'what belongs to an application belongs to its organisation' USING
            ERRCODE = 'check_violation', CONSTRAINT = 'application_part_of_organisation';
    END IF;
    RETURN part;
END $$;
"""
GUARD_BEFORE = """
CREATE OR REPLACE FUNCTION couriers_application_part_guard() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    part record;
    parent record;
    is_later boolean;
BEGIN
    IF TG_OP = 'DELETE' THEN part := OLD; ELSE part := NEW; END IF;
    SELECT state, organisation_id INTO parent FROM couriers_application WHERE id = part.application_id;
    is_later := parent.state = 'approved' AND (
        (TG_TABLE_NAME = 'couriers_servicecity' AND current_setting('alliance.scope', true) = 'all')
        OR (TG_TABLE_NAME = 'couriers_document' AND TG_OP = 'INSERT'));
    IF parent.state IS NULL OR (parent.state NOT IN ('draft', 'more_needed') AND NOT is_later) THEN
        RAISE EXCEPTION 'an application that is % cannot be edited', parent.state USING
            ERRCODE = 'check_violation', CONSTRAINT = 'application_frozen';
    END IF;
    IF parent.organisation_id <> part.organisation_id THEN
        RAISE EXCEPTION 'what belongs to an application belongs to its organisation' USING
            ERRCODE = 'check_violation', CONSTRAINT = 'application_part_of_organisation';
    END IF;
    RETURN part;
END $$;
"""


class Migration(migrations.Migration):
    dependencies = [("couriers", "0005_change_requests")]

    operations = [migrations.RunSQL(GUARD, GUARD_BEFORE)]
