"""An index of API keys that end by themselves, by when they do."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ("alliance", "0024_key_endings"),
    ]

    operations = [
        AddIndexConcurrently(
            model_name="apikey",
            index=models.Index(
                condition=models.Q(("revoked_at", None), ("rotated_at", None)),
                fields=["expires_at"],
                name="apikey_by_end",
            ),
        ),
    ]
