"""Indexes of pickups that wait for an answer about a move, and of those that were missed."""

from django.db import migrations, models

from alliance.database.online_indexes import AddIndexConcurrently

INDEXES = [
    models.Index(
        condition=models.Q(("move_asked_by", "merchant"), ("state", "accepted")),
        fields=["courier", "ends_at"],
        name="pickup_courier_to_move",
    ),
    models.Index(
        condition=models.Q(("move_asked_by", "courier"), ("state", "accepted")),
        fields=["merchant", "ends_at"],
        name="pickup_merchant_to_move",
    ),
    models.Index(
        condition=models.Q(("missed__gt", 0)),
        fields=["merchant", "-id"],
        name="pickup_missed_by_merchant",
    ),
    models.Index(
        condition=models.Q(("missed__gt", 0)),
        fields=["courier", "-id"],
        name="pickup_missed_by_courier",
    ),
    models.Index(
        condition=models.Q(("missed__isnull", True), ("state", "accepted")),
        fields=["ends_at"],
        name="pickup_to_count",
    ),
    models.Index(condition=models.Q(("missed__gt", 0)), fields=["ends_at"], name="pickup_to_count_again"),
]


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ("parcels", "0032_moved_pickups"),
    ]

    operations = [AddIndexConcurrently(model_name="pickup", index=index) for index in INDEXES]
