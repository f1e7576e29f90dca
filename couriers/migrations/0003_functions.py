"""Triggers that hold what an application may become, and when it may be edited."""

from django.db import migrations

# Applications move along the table of couriers/applications/rules.py and no other way, whatever program
# writes them. What the alliance decides takes the alliance's scope: an applicant's session cannot
# approve itself, even by SQL. What was submitted stays as it was until more is asked for.
APPLICATION_GUARD = """
CREATE FUNCTION couriers_application_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        IF OLD.state <> 'draft' THEN
            RAISE EXCEPTION 'an application that was submitted is kept' USING
                ERRCODE = 'check_violation', CONSTRAINT = 'application_kept';
        END IF;
        RETURN OLD;
    END IF;
    IF TG_OP = 'INSERT' THEN
        IF NEW.state <> 'draft' THEN
            RAISE EXCEPTION 'an application starts as a draft, not as %', NEW.state USING
                ERRCODE = 'check_violation', CONSTRAINT = 'application_starts_as_draft';
        END IF;
        RETURN NEW;
    END IF;
    IF NEW.organisation_id <> OLD.organisation_id THEN
        RAISE EXCEPTION 'an application stays with its organisation' USING
            ERRCODE = 'check_violation', CONSTRAINT = 'application_stays_with_organisation';
    END IF;
    IF OLD.state NOT IN ('draft', 'more_needed') AND
        (NEW.legal_name, NEW.credit_code, NEW.permit_number, NEW.founded_on, NEW.fleet_size,
         NEW.daily_capacity, NEW.contact_name, NEW.contact_phone, NEW.contact_email)
        IS DISTINCT FROM
        (OLD.legal_name, OLD.credit_code, OLD.permit_number, OLD.founded_on, OLD.fleet_size,
         OLD.daily_capacity, OLD.contact_name, OLD.contact_phone, OLD.contact_email)
    THEN
        RAISE EXCEPTION 'an application that is % cannot be edited', OLD.state USING
            ERRCODE = 'check_violation', CONSTRAINT = 'application_frozen';
    END IF;
    IF NEW.state = OLD.state THEN
        RETURN NEW;
    END IF;
    IF (OLD.state || '>' || NEW.state) NOT IN (
        'draft>submitted', 'submitted>more_needed', 'submitted>approved', 'submitted>rejected',
        'more_needed>submitted', 'more_needed>rejected')
    THEN
        RAISE EXCEPTION 'an application does not go from % to %', OLD.state, NEW.state USING
            ERRCODE = 'check_violation', CONSTRAINT = 'application_transition';
    END IF;
    IF NEW.state IN ('more_needed', 'approved', 'rejected')
        AND current_setting('alliance.scope', true) IS DISTINCT FROM 'all'
    THEN
        RAISE EXCEPTION 'only the alliance decides on an application' USING
            ERRCODE = 'check_violation', CONSTRAINT = 'application_decided_by_alliance';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER couriers_application_guard BEFORE INSERT OR UPDATE OR DELETE ON couriers_application
    FOR EACH ROW EXECUTE FUNCTION couriers_application_guard();
"""
NO_APPLICATION_GUARD = """
DROP TRIGGER couriers_application_guard ON couriers_application;
DROP FUNCTION couriers_application_guard();
"""

# What belongs to an application is frozen with it, and belongs to its organisation.
PART_GUARD = """
CREATE FUNCTION couriers_application_part_guard() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    part record;
    parent record;
BEGIN
    IF TG_OP = 'DELETE' THEN part := OLD; ELSE part := NEW; END IF;
    SELECT state, organisation_id INTO parent FROM couriers_application WHERE id = part.application_id;
    IF parent.state IS NULL OR parent.state NOT IN ('draft', 'more_needed') THEN
        RAISE EXCEPTION 'an application that is % cannot be edited', parent.state USING
            ERRCODE = 'check_violation', CONSTRAINT = 'application_frozen';
    END IF;
    IF parent.organisation_id <> part.organisation_id THEN
        RAISE EXCEPTION 'what belongs to an application belongs to its organisation' USING
            ERRCODE = 'check_violation', CONSTRAINT = 'application_part_of_organisation';
    END IF;
    RETURN part;
END $$;
CREATE TRIGGER couriers_document_guard
    BEFORE INSERT OR DELETE OR UPDATE OF organisation_id, application_id, kind, file, name, content_type, size, sha256
    ON couriers_document
    FOR EACH ROW EXECUTE FUNCTION couriers_application_part_guard();
CREATE TRIGGER couriers_servicecity_guard BEFORE INSERT OR UPDATE OR DELETE ON couriers_servicecity
    FOR EACH ROW EXECUTE FUNCTION couriers_application_part_guard();
"""
NO_PART_GUARD = """
DROP TRIGGER couriers_servicecity_guard ON couriers_servicecity;
DROP TRIGGER couriers_document_guard ON couriers_document;
DROP FUNCTION couriers_application_part_guard();
"""


class Migration(migrations.Migration):
    dependencies = [("couriers", "0002_policies")]

    operations = [
        migrations.RunSQL(APPLICATION_GUARD, NO_APPLICATION_GUARD),
        migrations.RunSQL(PART_GUARD, NO_PART_GUARD),
    ]
