"""Invitations, mails that wait to be sent, and the language of users. Nobody joins by itself."""

from typing import Any

import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

from alliance.tenancy import row_policy

_SCOPE = "nullif(current_setting('alliance.scope', true), '')"
_OWN = f"({_SCOPE} = 'all' OR {_SCOPE} = 'merchant:' || organisation_id OR {_SCOPE} = 'courier:' || organisation_id)"
_OWN_OR_USER = f"({_OWN} OR {_SCOPE} = 'user:' || user_id)"
# A tenant's scope made members, and a user's scope made and changed its own membership. An invitation is
# accepted in the scope of everything, which checks that it was sent to the user.
_MEMBERS = [
    "DROP POLICY alliance_member_insert ON alliance_member",
    "DROP POLICY alliance_member_update ON alliance_member",
]
_NARROW = [
    f"CREATE POLICY alliance_member_insert ON alliance_member FOR INSERT WITH CHECK ({_SCOPE} = 'all')",
    f"CREATE POLICY alliance_member_update ON alliance_member FOR UPDATE USING ({_OWN}) WITH CHECK ({_OWN})",
]
_WIDE = [
    f"CREATE POLICY alliance_member_insert ON alliance_member FOR INSERT WITH CHECK ({_OWN_OR_USER})",
    f"CREATE POLICY alliance_member_update ON alliance_member FOR UPDATE USING ({_OWN_OR_USER})"
    f" WITH CHECK ({_OWN_OR_USER})",
]

OPERATIONS = "Operations"
PERMISSIONS = (
    ("operate", "Can run the alliance"),
    ("look_up", "Can look up parcels and rates"),
    ("keep_books", "Can see fees and statements"),
)


def make_group(apps: Any, schema_editor: Any) -> None:
    """Make the group of ops. Permissions are made here, too: Django makes them after the last migration only."""
    content_types = apps.get_model("contenttypes", "ContentType").objects
    permissions = apps.get_model("auth", "Permission").objects
    group, _made = apps.get_model("auth", "Group").objects.get_or_create(name=OPERATIONS)
    content_type, _made = content_types.get_or_create(app_label="alliance", model="organisation")
    for codename, name in PERMISSIONS:
        permission, _made = permissions.get_or_create(
            content_type=content_type, codename=codename, defaults={"name": name}
        )
        if codename == "operate":
            group.permissions.add(permission)


def drop_group(apps: Any, schema_editor: Any) -> None:
    apps.get_model("auth", "Group").objects.filter(name=OPERATIONS).delete()


class Migration(migrations.Migration):
    dependencies = [
        ("alliance", "0004_months"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
    ]

    operations = [
        migrations.AlterModelOptions(
            name="organisation",
            options={
                "verbose_name": "organisation",
                "verbose_name_plural": "organisations",
                "permissions": [*PERMISSIONS],
            },
        ),
        migrations.CreateModel(
            name="OutgoingMail",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("to", models.EmailField(max_length=254, verbose_name="to")),
                ("subject", models.CharField(max_length=300, verbose_name="subject")),
                ("text", models.TextField(verbose_name="text")),
                (
                    "created_at",
                    models.DateTimeField(
                        db_index=True, default=django.utils.timezone.now, verbose_name="written"
                    ),
                ),
                ("claimed_at", models.DateTimeField(blank=True, null=True)),
            ],
            options={
                "verbose_name": "outgoing mail",
                "verbose_name_plural": "outgoing mails",
            },
        ),
        migrations.AddField(
            model_name="user",
            name="language",
            field=models.CharField(default="en", max_length=10, verbose_name="language"),
        ),
        migrations.AlterField(
            model_name="apikey",
            name="created_by",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
                verbose_name="created by",
            ),
        ),
        migrations.CreateModel(
            name="Invitation",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("email", models.EmailField(max_length=254, verbose_name="e-mail address")),
                (
                    "role",
                    models.CharField(
                        choices=[
                            ("owner", "Owner"),
                            ("manager", "Manager"),
                            ("agent", "Agent"),
                            ("finance", "Finance"),
                            ("viewer", "Viewer"),
                        ],
                        max_length=10,
                        verbose_name="role",
                    ),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("pending", "Waiting for an answer"),
                            ("accepted", "Accepted"),
                            ("declined", "Declined"),
                            ("withdrawn", "Withdrawn"),
                        ],
                        default="pending",
                        max_length=10,
                        verbose_name="state",
                    ),
                ),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now, verbose_name="sent")),
                ("expires_at", models.DateTimeField(verbose_name="valid until")),
                ("decided_at", models.DateTimeField(blank=True, null=True, verbose_name="decided")),
                (
                    "invited_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="invited by",
                    ),
                ),
                (
                    "organisation",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="invitations",
                        to="alliance.organisation",
                    ),
                ),
            ],
            options={
                "verbose_name": "invitation",
                "verbose_name_plural": "invitations",
                "indexes": [
                    models.Index(fields=["created_at"], name="invitation_by_time"),
                    models.Index(fields=["email"], name="invitation_by_email"),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("state", "pending")),
                        fields=("organisation", "email"),
                        name="invitation_one_pending_an_address",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("state__in", ["pending", "accepted", "declined", "withdrawn"])),
                        name="invitation_state_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("role__in", ["owner", "manager", "agent", "finance", "viewer"])),
                        name="invitation_role_known",
                    ),
                ],
            },
        ),
        row_policy("alliance_outgoingmail"),
        row_policy("alliance_invitation", merchant="organisation_id", courier="organisation_id"),
        migrations.RunSQL(";\n".join([*_MEMBERS, *_NARROW]), ";\n".join([*_MEMBERS, *_WIDE])),
        migrations.RunPython(make_group, drop_group),
    ]
