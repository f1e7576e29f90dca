"""Row-level security: who sees which row, and who writes it."""

from django.db import migrations

from alliance.tenancy import row_policy


class Migration(migrations.Migration):
    dependencies = [("couriers", "0001_schema")]

    operations = [
        row_policy(
            "couriers_courier",
            courier="organisation_id",
            also_read="{scope} LIKE 'merchant:%' OR {scope} LIKE 'parcel:%'",
        ),
        row_policy("couriers_application", courier="organisation_id"),
        row_policy("couriers_servicecity", courier="organisation_id"),
        row_policy("couriers_document", courier="organisation_id"),
        row_policy("couriers_applicationevent", courier="organisation_id"),
        # Couriers read what they share; the alliance writes it.
        row_policy("couriers_facility", also_read="{scope} LIKE 'courier:%'"),
    ]
