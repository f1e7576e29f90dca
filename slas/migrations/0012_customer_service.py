from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

# As in slas/excuses/services/permissions.py.
GROUP = "Customer service"
# What the role decides on, and what it has to look at for that.
PERMISSIONS = (
    ("decide_excuse", "Can decide on excuses", "excuse"),
    ("view_excuse", "Can view excuse", "excuse"),
    ("view_disruption", "Can view disruption", "disruption"),
    ("view_closure", "Can view closure", "closure"),
    ("view_breachlisting", "Can view breach", "breachlisting"),
    ("view_commitmentlisting", "Can view commitment", "commitmentlisting"),
)


def make_group(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Make the role. Permissions are made here, too: Django makes them after the last migration only."""
    content_types = apps.get_model("contenttypes", "ContentType").objects
    permissions = apps.get_model("auth", "Permission").objects
    group, _made = apps.get_model("auth", "Group").objects.get_or_create(name=GROUP)
    for codename, name, model in PERMISSIONS:
        content_type, _made = content_types.get_or_create(app_label="slas", model=model)
        permission, _made = permissions.get_or_create(
            content_type=content_type, codename=codename, defaults={"name": name}
        )
        group.permissions.add(permission)


def drop_group(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    apps.get_model("auth", "Group").objects.filter(name=GROUP).delete()


class Migration(migrations.Migration):
    dependencies = [
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
        ("slas", "0011_claims"),
    ]

    operations = [migrations.RunPython(make_group, drop_group)]
