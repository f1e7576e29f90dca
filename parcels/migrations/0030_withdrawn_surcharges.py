"""Which surcharge takes back which."""

from typing import ClassVar

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("parcels", "0029_cancelled_parcels"),
    ]

    operations = [
        migrations.AddField(
            model_name="surcharge",
            name="withdraws",
            field=models.OneToOneField(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="withdrawn_by",
                to="parcels.surcharge",
                verbose_name="withdraws",
            ),
        ),
    ]

    lint_ignore: ClassVar = {
        "disallowed-unique-constraint": "of a new column: a few surcharges a month have no value in it",
        "adding-foreign-key-constraint": "of a new column: a few surcharges a month have no value in it",
    }
