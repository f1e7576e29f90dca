from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("parcels", "0014_reference_by_courier")]

    operations = [
        migrations.AddField(
            model_name="bookingfile",
            name="rejected_size",
            field=models.PositiveBigIntegerField(default=0),
        ),
    ]
