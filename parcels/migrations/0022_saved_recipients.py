"""Merchants' address books."""

import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models

from alliance.tenancy import row_policy


class Migration(migrations.Migration):
    dependencies = [("parcels", "0021_orders")]

    operations = [
        migrations.CreateModel(
            name="SavedRecipient",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("name", models.CharField(max_length=120, verbose_name="name")),
                ("phone", models.CharField(max_length=40, verbose_name="phone")),
                ("digits", models.CharField(max_length=60)),
                ("address", models.CharField(max_length=300, verbose_name="address")),
                ("remark", models.CharField(blank=True, max_length=200, verbose_name="remark")),
                ("digest", models.CharField(max_length=64)),
                ("added_at", models.DateTimeField(default=django.utils.timezone.now, verbose_name="added")),
                (
                    "last_used_at",
                    models.DateTimeField(default=django.utils.timezone.now, verbose_name="last used"),
                ),
                (
                    "city",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="alliance.city",
                        verbose_name="city",
                    ),
                ),
                (
                    "merchant",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="parcels.merchant",
                        verbose_name="merchant",
                    ),
                ),
            ],
            options={
                "verbose_name": "saved recipient",
                "verbose_name_plural": "saved recipients",
                "ordering": ["-id"],
                "indexes": [
                    models.Index(fields=["merchant", "-id"], name="saved_recipient_by_merchant"),
                    models.Index(fields=["last_used_at"], name="saved_recipient_by_use"),
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("merchant", "digest"), name="saved_recipient_once")
                ],
            },
        ),
        row_policy("parcels_savedrecipient", merchant="merchant_id"),
    ]
