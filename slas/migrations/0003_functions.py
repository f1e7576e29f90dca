"""What tables alone do not hold: views, an aggregate, and the triggers that guard history."""

from django.db import migrations

# The invoker's policies hold: without a scope, a view shows nothing either.
VIEWS = """
    CREATE VIEW slas_commitment_listing WITH (security_invoker = true) AS
        SELECT parcel_id || ':' || kind AS key, parcel_id, kind, merchant_id, courier_id, tier_id, origin_id,
            destination_id, due_at, reached_at, outcome, excused, excuse_reason
        FROM slas_commitment;
    CREATE VIEW slas_breach_listing WITH (security_invoker = true) AS
        SELECT b.parcel_id || ':' || b.kind AS key, b.parcel_id, b.kind, b.merchant_id, b.courier_id,
            b.tier_id, b.origin_id, b.destination_id, b.due_at, c.reached_at, c.outcome, c.excused,
            c.excuse_reason, b.opened_at, b.withdrawn_at
        FROM slas_breach b JOIN slas_commitment c ON c.parcel_id = b.parcel_id AND c.kind = b.kind;
    CREATE VIEW slas_histogrambin WITH (security_invoker = true) AS
        SELECT id, organisation_id, counterpart_id, kind, tier_id, origin_id, destination_id, due_date,
            (abs(mark) / 1000)::smallint AS measure, (abs(mark) % 1000)::smallint AS bin,
            sign(mark)::int AS count
        FROM slas_ontimerate, unnest(marks) AS m (mark);
"""
NO_VIEWS = """
    DROP VIEW slas_histogrambin;
    DROP VIEW slas_breach_listing;
    DROP VIEW slas_commitment_listing;
"""

# The marks of many rows as one list.
CONCATENATED = "CREATE AGGREGATE slas_concatenated(int[]) (sfunc = array_cat, stype = int[])"
NOT_CONCATENATED = "DROP AGGREGATE slas_concatenated(int[])"

# slas/commitments/rules.py has the table; a test holds the two equal. The condition is part of the trigger,
# so a change that is allowed calls no function.
CHANGES = (
    "pending>met", "pending>late", "pending>overdue", "pending>void", "overdue>late", "overdue>met",
    "overdue>void", "met>late", "met>overdue", "met>pending", "late>met", "late>overdue", "late>pending",
)  # fmt: skip
TRANSITIONS = f"""
    CREATE FUNCTION slas_refuse_transition() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION 'commitment %:% is %, it cannot become %',
            OLD.parcel_id, OLD.kind, OLD.outcome, NEW.outcome
            USING ERRCODE = 'check_violation', CONSTRAINT = 'commitment_transition';
    END $$;
    CREATE TRIGGER commitment_transition BEFORE UPDATE OF outcome ON slas_commitment
        FOR EACH ROW WHEN (OLD.outcome <> NEW.outcome AND (OLD.outcome || '>' || NEW.outcome) NOT IN
            ({", ".join(f"'{change}'" for change in CHANGES)}))
        EXECUTE FUNCTION slas_refuse_transition();
"""
NO_TRANSITIONS = """
    DROP TRIGGER commitment_transition ON slas_commitment;
    DROP FUNCTION slas_refuse_transition();
"""

# A courier was told its score, and by which rules: neither is rewritten.
SCORES = """
    CREATE FUNCTION slas_keep_final_scorecard() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION 'the scorecard of courier % for % is final', OLD.courier_id, OLD.month
            USING ERRCODE = 'check_violation', CONSTRAINT = 'scorecard_final';
    END $$;
    CREATE TRIGGER scorecard_final BEFORE UPDATE OR DELETE ON slas_scorecard
        FOR EACH ROW WHEN (OLD.frozen_at IS NOT NULL) EXECUTE FUNCTION slas_keep_final_scorecard();

    CREATE FUNCTION slas_keep_score_rules() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION 'version % of the scorecard rules is never edited', OLD.number
            USING ERRCODE = 'check_violation', CONSTRAINT = 'score_rules_kept';
    END $$;
    CREATE TRIGGER score_rules_kept BEFORE UPDATE ON slas_scorerules
        FOR EACH ROW EXECUTE FUNCTION slas_keep_score_rules();
"""
NO_SCORES = """
    DROP TRIGGER score_rules_kept ON slas_scorerules;
    DROP FUNCTION slas_keep_score_rules();
    DROP TRIGGER scorecard_final ON slas_scorecard;
    DROP FUNCTION slas_keep_final_scorecard();
"""

# Once a statement, not a row: entries are written thousands at a time.
CLOSED_MONTHS = """
    CREATE FUNCTION slas_refuse_closed_month() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF EXISTS (SELECT 1 FROM added JOIN slas_closedmonth USING (month)) THEN
            RAISE EXCEPTION 'credit entries go into open months only'
                USING ERRCODE = 'check_violation', CONSTRAINT = 'credit_entry_month_open';
        END IF;
        RETURN NULL;
    END $$;
    CREATE TRIGGER credit_entry_month_open AFTER INSERT ON slas_creditentry
        REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION slas_refuse_closed_month();
"""
NO_CLOSED_MONTHS = """
    DROP TRIGGER credit_entry_month_open ON slas_creditentry;
    DROP FUNCTION slas_refuse_closed_month();
"""


class Migration(migrations.Migration):
    dependencies = [("slas", "0002_policies")]

    operations = [
        migrations.RunSQL(VIEWS, NO_VIEWS),
        migrations.RunSQL(CONCATENATED, NOT_CONCATENATED),
        migrations.RunSQL(TRANSITIONS, NO_TRANSITIONS),
        migrations.RunSQL(SCORES, NO_SCORES),
        migrations.RunSQL(CLOSED_MONTHS, NO_CLOSED_MONTHS),
    ]
