"""Reference data: the cities of the gazetteer."""

from typing import Any

from django.db import migrations

from alliance.cities import load_cities


def seed_cities(apps: Any, schema_editor: Any) -> None:
    """Fill the table that lanes, offers and parcels refer to. May run again: it writes over by code."""
    load_cities(apps.get_model("alliance", "City"))


class Migration(migrations.Migration):
    dependencies = [("alliance", "0002_policies")]

    operations = [migrations.RunPython(seed_cities, migrations.RunPython.noop)]
