from typing import Any

from django.db import migrations

from slas.promises.holidays import COUNTRY, FIRST_YEAR, holidays_between, last_published_year


def seed(apps: Any, schema_editor: Any) -> None:
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


def unseed(apps: Any, schema_editor: Any) -> None:
    closures = apps.get_model("slas", "Closure")
    closures.objects.filter(country=COUNTRY, province="", city=None, is_public_holiday=True).delete()


class Migration(migrations.Migration):
    dependencies = [("slas", "0003_seed_tiers")]

    operations = [migrations.RunPython(seed, unseed)]
