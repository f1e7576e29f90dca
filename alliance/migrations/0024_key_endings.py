"""API keys end, are rotated, and have scopes by resource and addresses they may be used from."""

import django.contrib.postgres.fields
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("alliance", "0023_key_capabilities"),
    ]

    operations = [
        migrations.AddField(
            model_name="apikey",
            name="expires_at",
            field=models.DateTimeField(blank=True, null=True, verbose_name="valid until"),
        ),
        migrations.AddField(
            model_name="apikey",
            name="last_used_from",
            field=models.GenericIPAddressField(null=True, verbose_name="last used from"),
        ),
        migrations.AddField(
            model_name="apikey",
            name="networks",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.CharField(max_length=43), null=True, size=None, verbose_name="addresses"
            ),
        ),
        migrations.AddField(
            model_name="apikey",
            name="resources",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.CharField(max_length=40),
                null=True,
                size=None,
                verbose_name="scopes by resource",
            ),
        ),
        migrations.AddField(
            model_name="apikey",
            name="rotated_at",
            field=models.DateTimeField(blank=True, null=True, verbose_name="rotated"),
        ),
        migrations.AddField(
            model_name="apikey",
            name="warned_days",
            field=models.SmallIntegerField(null=True),
        ),
    ]
