from django.db import migrations

from alliance.tenancy import row_policy


class Migration(migrations.Migration):
    dependencies = [("couriers", "0001_initial")]

    operations = [
        row_policy(
            "couriers_courier",
            courier="organisation_id",
            also_read="{scope} LIKE 'merchant:%' OR {scope} LIKE 'parcel:%'",
        ),
    ]
