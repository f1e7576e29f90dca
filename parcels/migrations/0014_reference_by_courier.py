from django.db import migrations, models


class Migration(migrations.Migration):
    """Lead the index of references by the courier: as many indexes as before, and none reads others' parcels."""

    dependencies = [
        ("parcels", "0013_unconstrained_and_erasable"),
    ]

    operations = [
        migrations.AddIndex(
            model_name="parcel",
            index=models.Index(
                condition=models.Q(("reference", ""), _negated=True),
                fields=["courier", "reference"],
                name="parcel_by_courier_reference",
            ),
        ),
        migrations.RemoveIndex(model_name="parcel", name="parcel_by_reference"),
    ]
