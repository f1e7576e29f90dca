"""Reference data: what customer service may look up."""

from typing import Any

from django.db import migrations

# As in slas/excuses/services/permissions.py.
GROUP = "Customer service"
PERMISSION = ("view_parcel", "Can view parcel")


def let_look(apps: Any, schema_editor: Any) -> None:
    """Let customer service look parcels up. Django makes the permission after the last migration only."""
    content_type, _made = apps.get_model("contenttypes", "ContentType").objects.get_or_create(
        app_label="parcels", model="parcel"
    )
    permission, _made = apps.get_model("auth", "Permission").objects.get_or_create(
        content_type=content_type, codename=PERMISSION[0], defaults={"name": PERMISSION[1]}
    )
    apps.get_model("auth", "Group").objects.get(name=GROUP).permissions.add(permission)


def forbid(apps: Any, schema_editor: Any) -> None:
    group = apps.get_model("auth", "Group").objects.get(name=GROUP)
    group.permissions.remove(
        *group.permissions.filter(content_type__app_label="parcels", codename=PERMISSION[0])
    )


class Migration(migrations.Migration):
    dependencies = [
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
        ("slas", "0004_seeds"),
        ("parcels", "0002_policies"),
    ]

    operations = [migrations.RunPython(let_look, forbid)]
