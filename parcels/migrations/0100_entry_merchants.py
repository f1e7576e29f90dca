from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("parcels", "0007_guesses_by_address")]

    operations = [
        migrations.AddField(
            model_name="merchant",
            name="limit_lifted",
            field=models.BooleanField(
                db_default=False, default=False, verbose_name="without the limit of new merchants"
            ),
        ),
        migrations.AddField(
            model_name="pickupaddress",
            name="removed_at",
            field=models.DateTimeField(null=True, verbose_name="removed"),
        ),
    ]
