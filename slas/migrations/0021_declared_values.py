"""The declared value of a parcel: what a loss is credited with, and a condition of allocation rules."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("slas", "0020_allocation_rules"),
    ]

    operations = [
        migrations.AddField(
            model_name="commitment",
            name="declared_value_fen",
            field=models.IntegerField(null=True, verbose_name="declared value (fen)"),
        ),
        migrations.AddField(
            model_name="allocationrule",
            name="least_declared_fen",
            field=models.PositiveIntegerField(
                blank=True, null=True, verbose_name="from declared value (fen)"
            ),
        ),
        migrations.AddField(
            model_name="allocationrule",
            name="most_declared_fen",
            field=models.PositiveIntegerField(
                blank=True, null=True, verbose_name="up to declared value (fen)"
            ),
        ),
    ]
