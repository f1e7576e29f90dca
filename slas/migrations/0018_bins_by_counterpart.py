from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("slas", "0017_closures_kept")]

    operations = [
        migrations.AddIndex(
            model_name="histogrambin",
            index=models.Index(
                condition=models.Q(("counterpart__isnull", False)),
                fields=["counterpart", "measure", "due_date"],
                name="histogram_bin_counterpart",
            ),
        ),
    ]
