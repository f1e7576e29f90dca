"""Permissions of API keys: to enter surcharges and mark months as settled, and to manage webhooks."""

import django.contrib.postgres.fields
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("alliance", "0022_label_size"),
    ]

    operations = [
        migrations.AlterField(
            model_name="apikey",
            name="scopes",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.CharField(
                    choices=[
                        ("parcels:read", "See parcels and their scans"),
                        ("parcels:book", "Quote, book and cancel parcels"),
                        ("scans:write", "Send scans"),
                        ("offers:read", "See own offers and capacity"),
                        ("offers:write", "Change own offers and capacity"),
                        ("rules:write", "Change the rules that choose couriers"),
                        ("rates:read", "See on-time rates and breaches"),
                        ("excuses:claim", "Request exemptions for breaches"),
                        ("export", "Download lists"),
                        ("parcels:unmask", "See full names, phones and addresses"),
                        ("finance:read", "See fees and statements"),
                        ("finance:write", "Enter surcharges and mark months as settled"),
                        ("webhooks:write", "Manage webhooks and read their log"),
                        ("application:write", "Fill in and submit the courier application"),
                        ("members:write", "Invite and remove members"),
                        ("keys:write", "Create and revoke API keys"),
                        ("alliance:operate", "Run the alliance: rules, closures, applications, accounting"),
                    ],
                    max_length=24,
                ),
                size=None,
                verbose_name="scopes",
            ),
        ),
    ]
