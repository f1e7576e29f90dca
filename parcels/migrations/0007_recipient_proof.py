import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models

from alliance.tenancy import row_policy


class Migration(migrations.Migration):
    dependencies = [
        ("alliance", "0004_keep_audit_entries"),
        ("parcels", "0006_stages"),
    ]

    operations = [
        migrations.CreateModel(
            name="RecipientProof",
            fields=[
                ("parcel_id", models.BigIntegerField(primary_key=True, serialize=False)),
                ("failed", models.PositiveSmallIntegerField(default=0, verbose_name="failed attempts")),
                ("since", models.DateTimeField(default=django.utils.timezone.now, verbose_name="since")),
                (
                    "merchant",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="alliance.organisation",
                        verbose_name="merchant",
                    ),
                ),
            ],
            options={
                "verbose_name": "recipient's proof",
                "verbose_name_plural": "recipients' proofs",
            },
        ),
        row_policy("parcels_recipientproof", merchant="merchant_id"),
    ]
