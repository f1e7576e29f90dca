from django.db import migrations

# Made by django-axes, which counted wrong passwords before: nothing would ever delete their rows again, and they
# hold addresses of people.
TABLES = ("axes_accessattemptexpiration", "axes_accessattempt", "axes_accessfailurelog", "axes_accesslog")


class Migration(migrations.Migration):
    dependencies = [("alliance", "0100_people_invitations")]

    operations = [
        migrations.RunSQL(f"DROP TABLE IF EXISTS {', '.join(TABLES)}", reverse_sql=migrations.RunSQL.noop),
        migrations.RunSQL(
            "DELETE FROM django_migrations WHERE app = 'axes'", reverse_sql=migrations.RunSQL.noop
        ),
    ]
