from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("slas", "0011_verbose_names")]

    operations = [
        migrations.AddField(
            model_name="commitment",
            name="turned_at",
            field=models.DateTimeField(null=True, verbose_name="turned back"),
        ),
        migrations.AddIndex(
            model_name="commitment",
            index=models.Index(
                condition=models.Q(("outcome", "overdue"), ("turned_at__isnull", False)),
                fields=["parcel_id"],
                name="commitment_turned",
            ),
        ),
    ]
