from django.db import migrations, models

# Nothing forecasts from durations any more.
FORGET = "SET LOCAL alliance.scope = 'all'; DELETE FROM slas_histogrambin WHERE measure BETWEEN 11 AND 15;"


class Migration(migrations.Migration):
    dependencies = [("slas", "0014_seed_credit_schedules")]

    operations = [
        migrations.AlterField(
            model_name="histogrambin",
            name="measure",
            field=models.SmallIntegerField(
                choices=[
                    (1, "Lateness"),
                    (2, "Exempt breaches by reason"),
                    (100, "How early or late, by progress before the promised time"),
                ],
                verbose_name="measure",
            ),
        ),
        migrations.RunSQL(FORGET, migrations.RunSQL.noop),
    ]
