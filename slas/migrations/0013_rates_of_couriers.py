"""Indexes of couriers' figures apart from those of millions of merchants."""

from django.db import migrations
from django.db.models import Index, Q

from alliance.database.online_indexes import AddIndexConcurrently

OF_COURIERS = Q(counterpart__isnull=True)


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("slas", "0012_turned_at")]

    operations = [
        AddIndexConcurrently(
            "ontimerate",
            Index(fields=["due_date", "kind"], name="on_time_rate_of_couriers", condition=OF_COURIERS),
        ),
        AddIndexConcurrently(
            "overduecount", Index(fields=["kind"], name="overdue_count_of_couriers", condition=OF_COURIERS)
        ),
    ]
