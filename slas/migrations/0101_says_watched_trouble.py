"""The watch list begins with parcels that are held, damaged or were attempted in vain."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("slas", "0100_people_staff_groups")]

    operations = [
        migrations.AddField(
            model_name="watchitem",
            name="is_in_trouble",
            field=models.BooleanField(default=False, verbose_name="in trouble"),
        ),
    ]
