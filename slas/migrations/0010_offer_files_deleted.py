"""When the stored files of an upload of offers were deleted."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("slas", "0009_offer_files")]

    operations = [
        migrations.AddField(
            model_name="offerfile",
            name="deleted_at",
            field=models.DateTimeField(blank=True, null=True, verbose_name="files deleted"),
        ),
    ]
