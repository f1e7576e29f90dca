"""The states of files checked, and the index by which clean-up finds those that nobody booked, beside writers."""

from django.contrib.postgres.operations import ValidateConstraint
from django.db import migrations
from django.db.models import Index, Q

from alliance.database.online_indexes import AddIndexConcurrently


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("parcels", "0016_booking_templates")]

    operations = [
        ValidateConstraint(model_name="bookingfile", name="booking_file_state_known"),
        AddIndexConcurrently(
            "bookingfile",
            Index(fields=["uploaded_at"], condition=Q(state="draft"), name="booking_file_drafts"),
        ),
    ]
