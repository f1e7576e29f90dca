from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("alliance", "0021_allocation_capability"),
    ]

    operations = [
        migrations.AddField(
            model_name="organisation",
            name="label_size",
            field=models.CharField(
                db_default="76x130", default="76x130", max_length=8, verbose_name="size of labels"
            ),
        ),
    ]
