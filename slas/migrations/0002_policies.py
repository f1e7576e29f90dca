"""Row-level security: who sees which row, and who writes it."""

from django.db import migrations

from alliance.tenancy import row_policy

# Couriers bring claims forward and take them back; deciding is for others. Merchants read.
CLAIMANT = "{scope} = 'all' OR ({scope} = 'courier:' || courier_id AND state IN ('claimed', 'withdrawn'))"


class Migration(migrations.Migration):
    dependencies = [("slas", "0001_schema")]

    operations = [
        # Merchants see what is on sale, and reserve it.
        row_policy("slas_offer", courier="courier_id", also_read="active AND {scope} LIKE 'merchant:%'"),
        # Reserving makes and changes days of other people's offers; it deletes none.
        row_policy(
            "slas_capacityday",
            courier="courier_id",
            also_read="{scope} LIKE 'merchant:%'",
            also_write="{scope} LIKE 'merchant:%'",
            instead={"delete": "{scope} = 'all' OR {scope} = 'courier:' || courier_id"},
        ),
        row_policy("slas_commitment", merchant="merchant_id", courier="courier_id", parcel="parcel_id"),
        row_policy("slas_breach", merchant="merchant_id", courier="courier_id", parcel="parcel_id"),
        row_policy("slas_revision", merchant="merchant_id", courier="courier_id", parcel="parcel_id"),
        row_policy(
            "slas_excuse",
            merchant="merchant_id",
            courier="courier_id",
            instead={"insert": CLAIMANT, "update": CLAIMANT, "delete": "{scope} = 'all'"},
        ),
        row_policy("slas_tally", merchant="merchant_id", courier="courier_id"),
        # Quotes show merchants how each courier did on a lane. A courier reads how it did for each merchant:
        # the merchants' cells that name it.
        row_policy(
            "slas_ontimerate",
            merchant="organisation_id",
            courier="organisation_id",
            also_read=(
                "{scope} = 'courier:' || counterpart_id"
                " OR (counterpart_id IS NULL AND {scope} LIKE 'merchant:%')"
            ),
        ),
        row_policy(
            "slas_overduecount",
            merchant="organisation_id",
            courier="organisation_id",
            also_read="{scope} = 'courier:' || counterpart_id",
            own_writes=False,
        ),
        row_policy("slas_progresstally", courier="courier_id"),
        # How long couriers take on a lane is what arrivals are forecast from, on the tracking page too.
        row_policy(
            "slas_progress",
            courier="courier_id",
            also_read="{scope} LIKE 'merchant:%' OR {scope} LIKE 'parcel:%'",
            own_writes=False,
        ),
        row_policy(
            "slas_watchitem",
            merchant="merchant_id",
            courier="courier_id",
            parcel="parcel_id",
            own_writes=False,
        ),
        row_policy("slas_creditcheck", merchant="merchant_id", courier="courier_id"),
        # The ledger is only ever added to, by nobody but workers.
        row_policy(
            "slas_creditentry",
            merchant="merchant_id",
            courier="courier_id",
            own_writes=False,
            instead={"update": None, "delete": None},
        ),
        # A statement is written when its month is closed, and stays as it is.
        row_policy(
            "slas_statement",
            merchant="organisation_id",
            courier="organisation_id",
            own_writes=False,
            instead={"update": None, "delete": None},
        ),
        row_policy("slas_scorecard", courier="courier_id", own_writes=False),
        row_policy("slas_export", merchant="organisation_id", courier="organisation_id"),
    ]
