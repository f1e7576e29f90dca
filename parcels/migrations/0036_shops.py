"""Connected shops, their orders and messages."""

import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

import parcels.shops.rules
from alliance.tenancy import row_policy


class Migration(migrations.Migration):
    dependencies = [
        ("parcels", "0035_webhooks_key"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AlterField(
            model_name="parcel",
            name="source",
            field=models.CharField(
                choices=[
                    ("portal", "Portal"),
                    ("api", "API"),
                    ("file", "File"),
                    ("shop", "Connected shop"),
                    ("history", "Imported history"),
                ],
                max_length=8,
                verbose_name="source",
            ),
        ),
        migrations.CreateModel(
            name="ConnectedShop",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "key",
                    models.CharField(
                        default=parcels.shops.rules.new_key, editable=False, max_length=32, unique=True
                    ),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[("shopify", "Shopify"), ("woocommerce", "WooCommerce")],
                        max_length=12,
                    ),
                ),
                ("name", models.CharField(max_length=80, verbose_name="name")),
                ("prefix", models.CharField(blank=True, max_length=12, verbose_name="prefix")),
                (
                    "books_on",
                    models.CharField(
                        choices=[("placed", "As soon as it is placed"), ("paid", "Once it is paid")],
                        default="paid",
                        max_length=8,
                        verbose_name="books",
                    ),
                ),
                ("sealed", models.TextField(blank=True)),
                (
                    "state",
                    models.CharField(
                        choices=[("active", "Connected"), ("paused", "Paused")],
                        default="active",
                        max_length=8,
                        verbose_name="state",
                    ),
                ),
                ("language", models.CharField(max_length=12)),
                (
                    "connected_at",
                    models.DateTimeField(default=django.utils.timezone.now, verbose_name="connected"),
                ),
                (
                    "connected_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "merchant",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="parcels.merchant",
                    ),
                ),
                (
                    "template",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to="parcels.bookingtemplate",
                    ),
                ),
            ],
            options={
                "verbose_name": "connected shop",
                "verbose_name_plural": "connected shops",
                "ordering": ["name", "id"],
            },
        ),
        migrations.CreateModel(
            name="ShopOrder",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("key", models.CharField(max_length=64)),
                ("version", models.DateTimeField(null=True)),
                ("is_cancelled", models.BooleanField(default=False)),
                ("parcel_id", models.BigIntegerField(db_column="booked_id", null=True)),
                ("touched_at", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "merchant",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="parcels.merchant",
                    ),
                ),
                (
                    "shop",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="parcels.connectedshop",
                    ),
                ),
            ],
            options={
                "verbose_name": "order of a shop",
                "verbose_name_plural": "orders of shops",
            },
        ),
        migrations.CreateModel(
            name="ShopMessage",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("delivery", models.CharField(max_length=64)),
                ("topic", models.CharField(max_length=64)),
                ("received_at", models.DateTimeField()),
                ("body", models.TextField()),
                (
                    "outcome",
                    models.CharField(
                        choices=[
                            ("waiting", "Waiting"),
                            ("booked", "Booked"),
                            ("cancelled", "Parcel cancelled"),
                            ("ignored", "Ignored"),
                            ("rejected", "Rejected"),
                            ("changed", "Changed after booking"),
                            ("too_late", "Too late to cancel"),
                            ("failed", "Failed"),
                        ],
                        db_default="waiting",
                        max_length=9,
                    ),
                ),
                ("due_at", models.DateTimeField(null=True)),
                ("attempts", models.PositiveSmallIntegerField(db_default=0)),
                ("done_at", models.DateTimeField(null=True)),
                ("by_hand", models.BooleanField(db_default=False)),
                ("is_open", models.BooleanField(db_default=False)),
                ("number", models.CharField(db_default="", max_length=64)),
                ("parcel_id", models.BigIntegerField(db_column="booked_id", null=True)),
                ("reason", models.CharField(db_default="", max_length=300)),
                ("columns", models.CharField(db_default="", max_length=300)),
                ("detail", models.CharField(db_default="", max_length=1000)),
                (
                    "merchant",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="parcels.merchant",
                    ),
                ),
                (
                    "shop",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="parcels.connectedshop",
                    ),
                ),
                (
                    "order",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to="parcels.shoporder",
                    ),
                ),
            ],
            options={
                "verbose_name": "message of a shop",
                "verbose_name_plural": "messages of shops",
                "ordering": ["-id"],
            },
        ),
        migrations.AddConstraint(
            model_name="connectedshop",
            constraint=models.UniqueConstraint(
                fields=("merchant", "name"), name="connected_shop_name_unique"
            ),
        ),
        migrations.AddConstraint(
            model_name="connectedshop",
            constraint=models.CheckConstraint(
                condition=models.Q(("kind__in", ["shopify", "woocommerce"])), name="connected_shop_kind_known"
            ),
        ),
        migrations.AddConstraint(
            model_name="connectedshop",
            constraint=models.CheckConstraint(
                condition=models.Q(("books_on__in", ["placed", "paid"])), name="connected_shop_books_on_known"
            ),
        ),
        migrations.AddConstraint(
            model_name="connectedshop",
            constraint=models.CheckConstraint(
                condition=models.Q(("state__in", ["active", "paused"])), name="connected_shop_state_known"
            ),
        ),
        migrations.AddIndex(
            model_name="shoporder",
            index=models.Index(fields=["touched_at"], name="shop_order_by_time"),
        ),
        migrations.AddIndex(
            model_name="shoporder",
            index=models.Index(
                condition=models.Q(("parcel_id__isnull", False)),
                fields=["parcel_id"],
                name="shop_order_by_parcel",
            ),
        ),
        migrations.AddConstraint(
            model_name="shoporder",
            constraint=models.UniqueConstraint(fields=("shop", "key"), name="shop_order_once"),
        ),
        migrations.AddIndex(
            model_name="shopmessage",
            index=models.Index(fields=["shop", "-id"], name="shop_message_list"),
        ),
        migrations.AddIndex(
            model_name="shopmessage",
            index=models.Index(
                condition=models.Q(("outcome", "waiting")), fields=["shop", "due_at"], name="shop_message_due"
            ),
        ),
        migrations.AddIndex(
            model_name="shopmessage",
            index=models.Index(
                condition=models.Q(("order__isnull", False)), fields=["order"], name="shop_message_by_order"
            ),
        ),
        migrations.AddIndex(
            model_name="shopmessage",
            index=models.Index(
                condition=models.Q(("is_open", True)), fields=["shop"], name="shop_message_open"
            ),
        ),
        migrations.AddIndex(
            model_name="shopmessage",
            index=models.Index(
                condition=models.Q(("outcome", "waiting"), _negated=True),
                fields=["done_at"],
                name="shop_message_done",
            ),
        ),
        migrations.AddIndex(
            model_name="shopmessage",
            index=models.Index(fields=["merchant"], name="shop_message_by_merchant"),
        ),
        migrations.AddConstraint(
            model_name="shopmessage",
            constraint=models.UniqueConstraint(fields=("shop", "delivery"), name="shop_message_once"),
        ),
        migrations.AddConstraint(
            model_name="shopmessage",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "outcome__in",
                        [
                            "waiting",
                            "booked",
                            "cancelled",
                            "ignored",
                            "rejected",
                            "changed",
                            "too_late",
                            "failed",
                        ],
                    )
                ),
                name="shop_message_outcome_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="shopmessage",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("done_at__isnull", True), ("due_at__isnull", False), ("outcome", "waiting")),
                    models.Q(
                        models.Q(("outcome", "waiting"), _negated=True),
                        ("done_at__isnull", False),
                        ("due_at__isnull", True),
                    ),
                    _connector="OR",
                ),
                name="shop_message_waits_or_is_done",
            ),
        ),
        # At the door a shop is known by its address alone.
        row_policy("parcels_connectedshop", merchant="merchant_id", also_read="{scope} = 'key:' || key"),
        row_policy("parcels_shoporder", merchant="merchant_id"),
        row_policy("parcels_shopmessage", merchant="merchant_id"),
    ]
