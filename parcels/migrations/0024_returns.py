"""Ways back: the links between two parcels, what merchants allow, what recipients ask for."""

import django.contrib.postgres.fields
import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

import parcels.returns.models
from alliance.tenancy import row_policy


class Migration(migrations.Migration):
    dependencies = [
        ("alliance", "0022_label_size"),
        ("couriers", "0008_homes"),
        ("parcels", "0023_rules_of_parcels"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name="parcel",
            name="held_by",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="couriers.courier",
                verbose_name="held by",
            ),
        ),
        migrations.AddField(
            model_name="parcel",
            name="return_of_id",
            field=models.BigIntegerField(null=True, verbose_name="return of"),
        ),
        migrations.AddField(
            model_name="parcel",
            name="returned_by_id",
            field=models.BigIntegerField(null=True, verbose_name="returned by"),
        ),
        migrations.AddField(
            model_name="parcel",
            name="sender_address",
            field=models.CharField(
                blank=True, db_default="", default="", max_length=300, verbose_name="sender's address"
            ),
        ),
        migrations.AddField(
            model_name="parcel",
            name="sender_name",
            field=models.CharField(
                blank=True, db_default="", default="", max_length=120, verbose_name="sender"
            ),
        ),
        migrations.AddField(
            model_name="parcel",
            name="sender_phone",
            field=models.CharField(
                blank=True, db_default="", default="", max_length=40, verbose_name="sender's phone"
            ),
        ),
        migrations.CreateModel(
            name="ReturnPolicy",
            fields=[
                (
                    "merchant",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        related_name="+",
                        serialize=False,
                        to="parcels.merchant",
                        verbose_name="merchant",
                    ),
                ),
                ("is_allowed", models.BooleanField(default=False, verbose_name="recipients may ask")),
                (
                    "window_days",
                    models.PositiveSmallIntegerField(default=7, verbose_name="days after delivery"),
                ),
                (
                    "reasons",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(
                            choices=[
                                ("wrong_item", "Wrong item"),
                                ("damaged", "Damaged or faulty"),
                                ("not_as_described", "Not as described"),
                                ("size", "Does not fit"),
                                ("no_longer_wanted", "No longer wanted"),
                                ("other", "Another reason"),
                            ],
                            max_length=20,
                        ),
                        default=parcels.returns.models.all_reasons,
                        size=None,
                        verbose_name="reasons",
                    ),
                ),
                ("note", models.CharField(blank=True, max_length=300, verbose_name="note to recipients")),
                (
                    "changed_at",
                    models.DateTimeField(default=django.utils.timezone.now, verbose_name="changed"),
                ),
            ],
            options={
                "verbose_name": "return policy",
                "verbose_name_plural": "return policies",
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("window_days__gte", 1), ("window_days__lte", 60)),
                        name="return_policy_window",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            (
                                "reasons__contained_by",
                                [
                                    "wrong_item",
                                    "damaged",
                                    "not_as_described",
                                    "size",
                                    "no_longer_wanted",
                                    "other",
                                ],
                            )
                        ),
                        name="return_policy_reasons_known",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="ReturnRequest",
            fields=[
                (
                    "parcel_id",
                    models.BigIntegerField(primary_key=True, serialize=False, verbose_name="parcel"),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("requested", "Requested"),
                            ("approved", "Approved"),
                            ("declined", "Declined"),
                            ("withdrawn", "Withdrawn"),
                        ],
                        max_length=10,
                        verbose_name="state",
                    ),
                ),
                (
                    "reason",
                    models.CharField(
                        choices=[
                            ("wrong_item", "Wrong item"),
                            ("damaged", "Damaged or faulty"),
                            ("not_as_described", "Not as described"),
                            ("size", "Does not fit"),
                            ("no_longer_wanted", "No longer wanted"),
                            ("other", "Another reason"),
                        ],
                        max_length=20,
                        verbose_name="reason",
                    ),
                ),
                ("note", models.CharField(blank=True, max_length=300, verbose_name="note")),
                ("answer", models.CharField(blank=True, max_length=300, verbose_name="answer")),
                (
                    "requested_at",
                    models.DateTimeField(default=django.utils.timezone.now, verbose_name="requested"),
                ),
                ("decided_at", models.DateTimeField(blank=True, null=True, verbose_name="decided")),
                (
                    "decided_by",
                    models.ForeignKey(
                        blank=True,
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="decided by",
                    ),
                ),
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
                "verbose_name": "return request",
                "verbose_name_plural": "return requests",
                "indexes": [
                    models.Index(
                        fields=["merchant", "-requested_at", "-parcel_id"], name="return_request_list"
                    ),
                    models.Index(
                        fields=["merchant", "state", "-requested_at", "-parcel_id"],
                        name="return_request_by_state",
                    ),
                    models.Index(
                        condition=models.Q(("answer", ""), ("note", ""), _negated=True),
                        fields=["parcel_id"],
                        name="return_request_texts",
                    ),
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("state__in", ["requested", "approved", "declined", "withdrawn"])),
                        name="return_request_state_known",
                    )
                ],
            },
        ),
        row_policy("parcels_returnpolicy", merchant="merchant_id"),
        # The tracking page reads the one of its parcel; it is written in the merchant's scope, after a proof.
        row_policy("parcels_returnrequest", merchant="merchant_id", parcel="parcel_id"),
    ]
