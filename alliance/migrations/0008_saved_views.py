"""Views of lists that users keep."""

import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

from alliance.tenancy import row_policy


class Migration(migrations.Migration):
    dependencies = [("alliance", "0007_audit")]

    operations = [
        migrations.CreateModel(
            name="SavedView",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("listing", models.CharField(max_length=40, verbose_name="list")),
                ("name", models.CharField(max_length=40, verbose_name="name")),
                ("query", models.CharField(max_length=1000, verbose_name="filters")),
                ("is_default", models.BooleanField(default=False, verbose_name="default")),
                (
                    "created_at",
                    models.DateTimeField(default=django.utils.timezone.now, verbose_name="created"),
                ),
                ("deleted_at", models.DateTimeField(null=True, verbose_name="deleted")),
                (
                    "organisation",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="alliance.organisation",
                        verbose_name="organisation",
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="saved_views",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="user",
                    ),
                ),
            ],
            options={
                "verbose_name": "saved view",
                "verbose_name_plural": "saved views",
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("deleted_at", None)),
                        fields=("user", "organisation", "listing", "name"),
                        name="saved_view_name_once",
                        nulls_distinct=False,
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("deleted_at", None), ("is_default", True)),
                        fields=("user", "organisation", "listing"),
                        name="saved_view_one_default",
                        nulls_distinct=False,
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("name", ""), _negated=True), name="saved_view_has_name"
                    ),
                ],
            },
        ),
        row_policy("alliance_savedview", merchant="organisation_id", courier="organisation_id"),
    ]
