from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("slas", "0016_scored_by")]

    operations = [
        migrations.RemoveConstraint(model_name="closure", name="closure_declared_once"),
        migrations.AddField(
            model_name="closure",
            name="withdrawn_at",
            field=models.DateTimeField(blank=True, null=True, verbose_name="withdrawn at"),
        ),
        migrations.AddConstraint(
            model_name="closure",
            constraint=models.UniqueConstraint(
                condition=models.Q(("withdrawn_at", None)),
                fields=("date", "country", "province", "city", "name", "starts"),
                name="closure_declared_once",
                nulls_distinct=False,
            ),
        ),
        migrations.AddConstraint(
            model_name="closure",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("ends", None),
                    models.Q(("ends__gt", models.F("starts")), ("starts__isnull", False)),
                    _connector="OR",
                ),
                name="closure_ends_after_start",
            ),
        ),
    ]
