from django.db import migrations, models

import alliance.file_jobs


def due(model: str) -> list[migrations.operations.base.Operation]:
    """A file was last worked on; now it is due again. What was left unfinished is due at once."""
    return [
        migrations.RenameField(model_name=model, old_name="touched_at", new_name="due_at"),
        migrations.AlterField(
            model_name=model,
            name="due_at",
            field=models.DateTimeField(default=alliance.file_jobs.first_due, verbose_name="next attempt"),
        ),
    ]


class Migration(migrations.Migration):
    dependencies = [("parcels", "0017_stored_tracked_parcel")]

    operations = [
        *due("bookingfile"),
        *due("scanfile"),
        migrations.RenameField(model_name="bookingfile", old_name="failures", new_name="attempts"),
        migrations.AlterField(
            model_name="bookingfile",
            name="attempts",
            field=models.PositiveSmallIntegerField(default=0, verbose_name="attempts"),
        ),
        migrations.AddField(
            model_name="scanfile",
            name="attempts",
            field=models.PositiveSmallIntegerField(default=0, verbose_name="attempts"),
        ),
        migrations.AddField(
            model_name="scanfile",
            name="finished_at",
            field=models.DateTimeField(blank=True, null=True, verbose_name="finished"),
        ),
    ]
