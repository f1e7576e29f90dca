"""The audit by person and by action."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("alliance", "0006_contacts")]

    operations = [
        migrations.AddIndex(
            model_name="auditentry", index=models.Index(fields=["user_id", "-id"], name="audit_by_user")
        ),
        migrations.AddIndex(
            model_name="auditentry", index=models.Index(fields=["verb", "-id"], name="audit_by_verb")
        ),
    ]
