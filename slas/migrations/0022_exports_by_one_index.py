import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    """Drop the index of organisations alone: that of the list begins with them, and has the list's order."""

    dependencies = [
        ("alliance", "0007_retired_months"),
        ("slas", "0021_marks_in_cells"),
    ]

    operations = [
        migrations.AlterField(
            model_name="export",
            name="organisation",
            field=models.ForeignKey(
                blank=True,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="alliance.organisation",
            ),
        ),
    ]
