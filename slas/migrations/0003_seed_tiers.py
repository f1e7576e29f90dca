from datetime import UTC, datetime
from typing import Any

from django.db import migrations

# Spelled out and not imported: what version 1 said must not change when the defaults do.
FIRST_DAY = datetime(2016, 1, 1, tzinfo=UTC)
WEIGHT_BANDS = [
    {"up_to_g": 1_000, "surcharge_fen": 0},
    {"up_to_g": 3_000, "surcharge_fen": 300},
    {"up_to_g": 5_000, "surcharge_fen": 600},
    {"up_to_g": 10_000, "surcharge_fen": 1_500},
    {"up_to_g": 20_000, "surcharge_fen": 3_500},
    {"up_to_g": 30_000, "surcharge_fen": 6_000},
]
# code, English, Chinese, cut-off, pickup by, deliver by, days in transit, works on public holidays
TIERS = [
    ("same_day", "Same day", "当日达", "11:00", "13:00", "22:00", 0, True),
    ("next_day", "Next day", "次日达", "18:00", "20:00", "20:00", 1, True),
    ("standard", "Standard", "标准快递", "18:00", "20:00", "20:00", 3, False),
]


def seed(apps: Any, schema_editor: Any) -> None:
    tiers = apps.get_model("slas", "ServiceTier")
    versions = apps.get_model("slas", "TierVersion")
    for position, (code, english, chinese, cut_off, pickup_by, deliver_by, days, holidays) in enumerate(
        TIERS
    ):
        tier, _made = tiers.objects.get_or_create(
            code=code, defaults={"name_en": english, "name_zh": chinese, "position": position}
        )
        versions.objects.get_or_create(
            tier=tier,
            number=1,
            defaults={
                "valid_from": FIRST_DAY,
                "cut_offs": {str(day): {"time": cut_off, "day_offset": 0} for day in range(7)},
                "pickup_by": pickup_by,
                "deliver_by": deliver_by,
                "days_in_transit": days,
                "delivery_weekdays": list(range(7)),
                "works_on_holidays": holidays,
                "weight_bands": WEIGHT_BANDS,
            },
        )


class Migration(migrations.Migration):
    dependencies = [("slas", "0002_row_level_security")]

    # Backwards keeps the rows: commitments made meanwhile name them.
    operations = [migrations.RunPython(seed, migrations.RunPython.noop)]
