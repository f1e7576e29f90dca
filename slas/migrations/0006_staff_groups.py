"""Groups of staff: customer service may look up parcels, and finance sees the books."""

from typing import Any

from django.db import migrations

FINANCE = "Finance"
VIEWED = (
    ("slas", "statement", "statement"),
    ("slas", "creditentry", "credit entry"),
    ("slas", "closedmonth", "closed month"),
    ("slas", "creditschedule", "credit schedule"),
)


def make_groups(apps: Any, schema_editor: Any) -> None:
    """Give the groups their permissions; see STAFF_CAPABILITIES for those of the kernel."""
    groups = apps.get_model("auth", "Group").objects
    permissions = apps.get_model("auth", "Permission").objects
    content_types = apps.get_model("contenttypes", "ContentType").objects
    look_up = permissions.get(content_type__app_label="alliance", codename="look_up")
    keep_books = permissions.get(content_type__app_label="alliance", codename="keep_books")
    service, _made = groups.get_or_create(name="Customer service")
    service.permissions.add(look_up)
    finance, _made = groups.get_or_create(name=FINANCE)
    finance.permissions.add(keep_books)
    for app, model, name in VIEWED:
        content_type, _made = content_types.get_or_create(app_label=app, model=model)
        permission, _made = permissions.get_or_create(
            content_type=content_type, codename=f"view_{model}", defaults={"name": f"Can view {name}"}
        )
        finance.permissions.add(permission)


def drop_finance(apps: Any, schema_editor: Any) -> None:
    apps.get_model("auth", "Group").objects.filter(name=FINANCE).delete()


class Migration(migrations.Migration):
    dependencies = [("slas", "0005_judged_by_agreed_day"), ("alliance", "0005_invitations")]

    operations = [migrations.RunPython(make_groups, drop_finance)]
