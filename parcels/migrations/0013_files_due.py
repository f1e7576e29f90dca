"""Indexes by which the sweeper and clean-up find the few files they ask for among those of all merchants."""

from django.db import migrations
from django.db.models import Index, Q

from alliance.database.online_indexes import AddIndexConcurrently

UNFINISHED = Q(state__in=("queued", "running"))


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("parcels", "0012_names_of_known_merchants")]

    operations = [
        AddIndexConcurrently(
            "bookingfile", Index(fields=["due_at"], condition=UNFINISHED, name="booking_file_unfinished")
        ),
        AddIndexConcurrently(
            "bookingfile",
            Index(fields=["finished_at"], condition=Q(deleted_at=None), name="booking_file_with_content"),
        ),
        AddIndexConcurrently(
            "bookingfile",
            Index(fields=["content"], condition=Q(deleted_at=None), name="booking_file_by_content"),
        ),
        AddIndexConcurrently(
            "scanfile", Index(fields=["due_at"], condition=UNFINISHED, name="scan_file_unfinished")
        ),
    ]
