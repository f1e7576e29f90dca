"""Stories of test parcels: where they are, and when they go on."""

import django.db.models.deletion
from django.db import migrations, models

from alliance.tenancy import row_policy


class Migration(migrations.Migration):
    dependencies = [
        ("alliance", "0027_test_mode"),
        ("parcels", "0038_test_mode"),
    ]

    operations = [
        migrations.CreateModel(
            name="ParcelStory",
            fields=[
                ("parcel_id", models.BigIntegerField(db_column="id", primary_key=True, serialize=False)),
                (
                    "story",
                    models.CharField(
                        choices=[
                            ("delivered", "Delivered"),
                            ("late", "Late"),
                            ("lost", "Lost"),
                            ("returned", "Returned"),
                            ("second_attempt", "Second Attempt"),
                            ("collected", "Collected"),
                            ("held", "Held"),
                        ],
                        max_length=20,
                    ),
                ),
                ("began_at", models.DateTimeField()),
                ("step", models.PositiveSmallIntegerField(default=0)),
                ("due_at", models.DateTimeField(null=True)),
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
                "indexes": [
                    models.Index(
                        condition=models.Q(("due_at__isnull", False)),
                        fields=["due_at"],
                        name="parcel_story_due",
                    )
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            (
                                "story__in",
                                [
                                    "delivered",
                                    "late",
                                    "lost",
                                    "returned",
                                    "second_attempt",
                                    "collected",
                                    "held",
                                ],
                            )
                        ),
                        name="parcel_story_known",
                    )
                ],
            },
        ),
        row_policy("parcels_parcelstory", merchant="merchant_id"),
    ]
