from django.db import migrations

from alliance.tenancy import row_policy


class Migration(migrations.Migration):
    dependencies = [("slas", "0001_initial")]

    operations = [
        # Merchants see what is on sale, and reserve it.
        row_policy("slas_offer", courier="courier_id", also_read="active AND {scope} LIKE 'merchant:%'"),
        row_policy(
            "slas_capacityday",
            courier="courier_id",
            also_read="{scope} LIKE 'merchant:%'",
            also_write="{scope} LIKE 'merchant:%'",
        ),
        row_policy("slas_commitment", merchant="merchant_id", courier="courier_id", parcel="parcel_id"),
        row_policy("slas_breach", merchant="merchant_id", courier="courier_id", parcel="parcel_id"),
        row_policy("slas_excuse", merchant="merchant_id", courier="courier_id"),
        row_policy("slas_tally", merchant="merchant_id", courier="courier_id"),
        # Quotes show merchants how each courier did on a lane.
        row_policy(
            "slas_ontimerate",
            merchant="organisation_id",
            courier="organisation_id",
            also_read="counterpart_id IS NULL AND {scope} LIKE 'merchant:%'",
        ),
    ]
