"""The watch list begins with parcels that are held, damaged or were attempted in vain."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("slas", "0006_staff_groups")]

    operations = [
        migrations.AddField(
            model_name="watchitem",
            name="is_in_trouble",
            field=models.BooleanField(default=False, verbose_name="in trouble"),
        ),
        migrations.AddIndex(
            model_name="watchitem",
            index=models.Index(
                models.F("is_in_trouble").desc(),
                "due_at",
                models.F("id").desc(),
                name="watch_item_by_trouble",
            ),
        ),
    ]
