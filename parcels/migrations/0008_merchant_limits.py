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
        migrations.RemoveConstraint(model_name="pickupaddress", name="pickup_address_one_default"),
        migrations.AddConstraint(
            model_name="pickupaddress",
            constraint=models.UniqueConstraint(
                fields=["merchant"],
                condition=models.Q(is_default=True, removed_at=None),
                name="pickup_address_one_default",
            ),
        ),
    ]
