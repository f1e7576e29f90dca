"""Reference data: tiers, public holidays, the first credit schedules and score rules, customer service.

Spelled out and not imported: what version 1 said must not change when the defaults do. Backwards keeps what
commitments, entries and scorecards made meanwhile may name.
"""

from datetime import UTC, date, datetime
from typing import Any

from django.db import migrations

from slas.promises.holidays import COUNTRY, FIRST_YEAR, holidays_between, last_published_year

# The first day that ids can tell: see alliance/identifiers.py.
FIRST_DAY = datetime(2016, 1, 1, tzinfo=UTC)
FIRST_MONTH = date(2016, 1, 1)

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

# tier, (late by minutes, percent of the fee), at most (fen), for a lost parcel (fen)
CREDIT_SCHEDULES = [
    ("same_day", [(0, 30), (120, 60), (1440, 100)], 5_000, 30_000),
    ("next_day", [(0, 20), (1440, 50), (4320, 100)], 4_000, 20_000),
    ("standard", [(0, 10), (1440, 30), (4320, 60)], 3_000, 10_000),
]

WEIGHTS = {
    "delivery_on_time": 40,
    "pickup_on_time": 15,
    "first_attempt": 15,
    "within_72h": 15,
    "lateness": 15,
}
BANDS = {
    "delivery_on_time": [[0.98, 100], [0.96, 90], [0.94, 80], [0.92, 65], [0.90, 50], [0.85, 25]],
    "pickup_on_time": [[0.99, 100], [0.98, 90], [0.96, 80], [0.94, 65], [0.90, 45], [0.85, 20]],
    "first_attempt": [[0.96, 100], [0.94, 90], [0.92, 75], [0.88, 50], [0.80, 25]],
    # China's benchmark was 83.95 % in 2024 [State Post Bureau].
    "within_72h": [[0.95, 100], [0.90, 90], [0.85, 75], [0.80, 55], [0.70, 25]],
    "lateness": [[0.005, 100], [0.01, 90], [0.02, 75], [0.03, 50], [0.05, 25]],
}
GRADES = {"gold": 85, "silver": 75, "member": 50}
MINIMUM_VOLUME = 100

# As in slas/excuses/services/permissions.py.
GROUP = "Customer service"
# What the role decides on, and what it has to look at for that.
PERMISSIONS = (
    ("decide_excuse", "Can decide on excuses", "excuse"),
    ("view_excuse", "Can view excuse", "excuse"),
    ("view_disruption", "Can view disruption", "disruption"),
    ("view_closure", "Can view closure", "closure"),
    ("view_breachlisting", "Can view breach", "breachlisting"),
    ("view_commitmentlisting", "Can view commitment", "commitmentlisting"),
)


def seed_tiers(apps: Any, schema_editor: Any) -> None:
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


def seed_holidays(apps: Any, schema_editor: Any) -> None:
    """A first set, so that a fresh installation counts with them; load_holidays keeps it current."""
    closures = apps.get_model("slas", "Closure")
    closures.objects.bulk_create(
        [
            closures(
                date=item.date,
                side="both",
                country=COUNTRY,
                name=item.name,
                is_public_holiday=True,
                announced_at=item.announced_at,
            )
            for item in holidays_between(FIRST_YEAR, last_published_year() + 1)
        ],
        ignore_conflicts=True,
    )


def remove_holidays(apps: Any, schema_editor: Any) -> None:
    closures = apps.get_model("slas", "Closure")
    closures.objects.filter(country=COUNTRY, province="", city=None, is_public_holiday=True).delete()


def seed_credit_schedules(apps: Any, schema_editor: Any) -> None:
    tiers = apps.get_model("slas", "ServiceTier")
    schedules = apps.get_model("slas", "CreditSchedule")
    for code, bands, cap_fen, lost_fen in CREDIT_SCHEDULES:
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


def seed_score_rules(apps: Any, schema_editor: Any) -> None:
    apps.get_model("slas", "ScoreRules").objects.get_or_create(
        number=1,
        defaults={
            "valid_from": FIRST_MONTH,
            "weights": WEIGHTS,
            "bands": BANDS,
            "grades": GRADES,
            "minimum_volume": MINIMUM_VOLUME,
            "note": "The first rules.",
        },
    )


def make_group(apps: Any, schema_editor: Any) -> None:
    """Make the role. Permissions are made here, too: Django makes them after the last migration only."""
    content_types = apps.get_model("contenttypes", "ContentType").objects
    permissions = apps.get_model("auth", "Permission").objects
    group, _made = apps.get_model("auth", "Group").objects.get_or_create(name=GROUP)
    for codename, name, model in PERMISSIONS:
        content_type, _made = content_types.get_or_create(app_label="slas", model=model)
        permission, _made = permissions.get_or_create(
            content_type=content_type, codename=codename, defaults={"name": name}
        )
        group.permissions.add(permission)


def drop_group(apps: Any, schema_editor: Any) -> None:
    apps.get_model("auth", "Group").objects.filter(name=GROUP).delete()


class Migration(migrations.Migration):
    dependencies = [
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
        ("slas", "0003_functions"),
    ]

    operations = [
        migrations.RunPython(seed_tiers, migrations.RunPython.noop),
        migrations.RunPython(seed_holidays, remove_holidays),
        migrations.RunPython(make_group, drop_group),
        migrations.RunPython(seed_credit_schedules, migrations.RunPython.noop),
        migrations.RunPython(seed_score_rules, migrations.RunPython.noop),
    ]
