"""On time is judged by the day agreed on, no matter who asked for it."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("slas", "0004_seeds")]

    operations = [
        migrations.RemoveConstraint(model_name="revision", name="revision_judged_for_recipient"),
    ]
