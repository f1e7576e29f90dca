from django.db import migrations, models

import alliance.file_jobs


class Migration(migrations.Migration):
    """A file was last worked on; now it is due again. What was left unfinished is due at once."""

    dependencies = [("slas", "0022_exports_by_one_index")]

    operations = [
        migrations.RemoveIndex(model_name="export", name="export_unfinished"),
        migrations.RenameField(model_name="export", old_name="touched_at", new_name="due_at"),
        migrations.AlterField(
            model_name="export",
            name="due_at",
            field=models.DateTimeField(default=alliance.file_jobs.first_due, verbose_name="next attempt"),
        ),
        migrations.AddIndex(
            model_name="export",
            index=models.Index(
                condition=models.Q(("file", ""), _negated=True),
                fields=["state", "due_at"],
                name="export_unfinished",
            ),
        ),
        migrations.AlterField(
            model_name="export",
            name="attempts",
            field=models.PositiveSmallIntegerField(default=0, verbose_name="attempts"),
        ),
        migrations.AlterField(
            model_name="export",
            name="language",
            field=models.CharField(max_length=12, verbose_name="language"),
        ),
        migrations.AddField(
            model_name="export",
            name="finished_at",
            field=models.DateTimeField(blank=True, null=True, verbose_name="finished"),
        ),
    ]
