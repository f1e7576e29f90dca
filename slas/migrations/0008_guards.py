from django.db import migrations

from alliance.tenancy import row_policy

SCOPE = "nullif(current_setting('alliance.scope', true), '')"

# Couriers bring claims forward and take them back; deciding is for others. Merchants read.
CLAIMANT = f"({SCOPE} = 'all' OR ({SCOPE} = 'courier:' || courier_id AND state IN ('claimed', 'withdrawn')))"
PARTIES = f"({SCOPE} = 'all' OR {SCOPE} = 'merchant:' || merchant_id OR {SCOPE} = 'courier:' || courier_id)"
EXCUSES = f"""
    ALTER POLICY slas_excuse_insert ON slas_excuse WITH CHECK {CLAIMANT};
    ALTER POLICY slas_excuse_update ON slas_excuse USING {CLAIMANT} WITH CHECK {CLAIMANT};
    ALTER POLICY slas_excuse_delete ON slas_excuse USING ({SCOPE} = 'all');
"""
NO_EXCUSES = f"""
    ALTER POLICY slas_excuse_insert ON slas_excuse WITH CHECK {PARTIES};
    ALTER POLICY slas_excuse_update ON slas_excuse USING {PARTIES} WITH CHECK {PARTIES};
    ALTER POLICY slas_excuse_delete ON slas_excuse USING {PARTIES};
"""

# A courier reads how it did for each merchant: the merchants' cells that name it.
CELLS = (
    f"{SCOPE} = 'all' OR {SCOPE} = 'merchant:' || organisation_id OR {SCOPE} = 'courier:' || organisation_id"
)
ON_SALE = f"(counterpart_id IS NULL AND {SCOPE} LIKE 'merchant:%')"
RATES = f"""
    ALTER POLICY slas_ontimerate_read ON slas_ontimerate
        USING ({CELLS} OR {SCOPE} = 'courier:' || counterpart_id OR {ON_SALE});
"""
NO_RATES = f"ALTER POLICY slas_ontimerate_read ON slas_ontimerate USING ({CELLS} OR {ON_SALE});"

# The ledger is only ever added to, by nobody but workers.
LEDGER = """
    DROP POLICY slas_creditentry_update ON slas_creditentry;
    DROP POLICY slas_creditentry_delete ON slas_creditentry;
"""
NO_LEDGER = f"""
    CREATE POLICY slas_creditentry_update ON slas_creditentry FOR UPDATE USING ({SCOPE} = 'all');
    CREATE POLICY slas_creditentry_delete ON slas_creditentry FOR DELETE USING ({SCOPE} = 'all');
"""

VIEWS = """
    DROP VIEW slas_breach_listing;
    DROP VIEW slas_commitment_listing;
    CREATE VIEW slas_commitment_listing WITH (security_invoker = true) AS
        SELECT parcel_id || ':' || kind AS key, parcel_id, kind, merchant_id, courier_id, tier_id, origin_id,
            destination_id, due_at, reached_at, outcome, excused, excuse_reason
        FROM slas_commitment;
    CREATE VIEW slas_breach_listing WITH (security_invoker = true) AS
        SELECT b.parcel_id || ':' || b.kind AS key, b.parcel_id, b.kind, b.merchant_id, b.courier_id,
            b.tier_id, b.origin_id, b.destination_id, b.due_at, c.reached_at, c.outcome, c.excused,
            c.excuse_reason, b.opened_at, b.withdrawn_at
        FROM slas_breach b JOIN slas_commitment c ON c.parcel_id = b.parcel_id AND c.kind = b.kind;
"""

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

STORAGE = """
    ALTER TABLE slas_histogrambin SET (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05);
    ALTER TABLE slas_creditcheck SET (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0);
    ALTER TABLE slas_watchitem SET (autovacuum_vacuum_scale_factor = 0.05);
"""
NO_STORAGE = """
    ALTER TABLE slas_histogrambin RESET (fillfactor, autovacuum_vacuum_scale_factor);
    ALTER TABLE slas_creditcheck RESET (autovacuum_vacuum_scale_factor, autovacuum_vacuum_cost_delay);
    ALTER TABLE slas_watchitem RESET (autovacuum_vacuum_scale_factor);
"""

# What 0007 cleared, counted anew. Attempts and deliveries of before were not written down by slas.
RECOUNT = """
    SET LOCAL alliance.scope = 'all';
    INSERT INTO slas_ontimerate (organisation_id, counterpart_id, kind, tier_id, origin_id, destination_id,
        due_date, pending, met, late, overdue, void, excused, attempted, first_attempt, within_48h, within_72h)
    SELECT CASE WHEN by_merchant THEN merchant_id ELSE courier_id END,
        CASE WHEN by_merchant THEN courier_id END, kind, tier_id, origin_id, destination_id, due_date,
        count(*) FILTER (WHERE outcome = 'pending'), count(*) FILTER (WHERE outcome = 'met'),
        count(*) FILTER (WHERE outcome = 'late'), count(*) FILTER (WHERE outcome = 'overdue'),
        count(*) FILTER (WHERE outcome = 'void'),
        count(*) FILTER (WHERE excused AND outcome IN ('late', 'overdue')), 0, 0, 0, 0
    FROM slas_commitment, (VALUES (true), (false)) AS grain (by_merchant)
    GROUP BY 1, 2, 3, 4, 5, 6, 7;
"""


class Migration(migrations.Migration):
    dependencies = [("slas", "0007_engine")]

    operations = [
        row_policy("slas_revision", merchant="merchant_id", courier="courier_id", parcel="parcel_id"),
        row_policy("slas_creditcheck", merchant="merchant_id", courier="courier_id"),
        row_policy("slas_creditentry", merchant="merchant_id", courier="courier_id", own_writes=False),
        row_policy("slas_statement", merchant="organisation_id", courier="organisation_id", own_writes=False),
        row_policy(
            "slas_watchitem",
            merchant="merchant_id",
            courier="courier_id",
            parcel="parcel_id",
            own_writes=False,
        ),
        row_policy("slas_scorecard", courier="courier_id", own_writes=False),
        row_policy("slas_export", merchant="organisation_id", courier="organisation_id"),
        # How long couriers take on a lane is what arrivals are forecast from, on the tracking page too.
        row_policy(
            "slas_histogrambin",
            merchant="organisation_id",
            courier="organisation_id",
            also_read="{scope} = 'courier:' || counterpart_id OR (counterpart_id IS NULL AND measure >= 11"
            " AND ({scope} LIKE 'merchant:%' OR {scope} LIKE 'parcel:%'))",
            own_writes=False,
        ),
        migrations.RunSQL(EXCUSES, NO_EXCUSES),
        migrations.RunSQL(RATES, NO_RATES),
        migrations.RunSQL(LEDGER, NO_LEDGER),
        migrations.RunSQL(VIEWS, migrations.RunSQL.noop),
        migrations.RunSQL(TRANSITIONS, NO_TRANSITIONS),
        migrations.RunSQL(STORAGE, NO_STORAGE),
        migrations.RunSQL(RECOUNT, migrations.RunSQL.noop),
    ]
