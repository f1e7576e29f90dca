from datetime import UTC, datetime
from typing import Any

from django.db import migrations

FIRST_DAY = datetime(2016, 1, 1, tzinfo=UTC)
# tier, (late by minutes, percent of the fee), at most (fen), for a lost parcel (fen)
SCHEDULES = [
    ("same_day", [(0, 30), (120, 60), (1440, 100)], 5_000, 30_000),
    ("next_day", [(0, 20), (1440, 50), (4320, 100)], 4_000, 20_000),
    ("standard", [(0, 10), (1440, 30), (4320, 60)], 3_000, 10_000),
]


def seed(apps: Any, schema_editor: Any) -> None:
    tiers = apps.get_model("slas", "ServiceTier")
    schedules = apps.get_model("slas", "CreditSchedule")
    for code, bands, cap_fen, lost_fen in SCHEDULES:
        schedules.objects.get_or_create(
            tier=tiers.objects.get(code=code),
            number=1,
            defaults={
                "valid_from": FIRST_DAY,
                "bands": [{"late_by_minutes": late, "share_percent": share} for late, share in bands],
                "cap_fen": cap_fen,
                "lost_fen": lost_fen,
            },
        )


class Migration(migrations.Migration):
    dependencies = [("slas", "0013_credits")]

    # Backwards keeps the rows: entries written meanwhile name them.
    operations = [migrations.RunPython(seed, migrations.RunPython.noop)]
