"""The kernel's tables: users, organisations, their members and keys, cities, and what is recorded of all."""

import django.contrib.postgres.fields
import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = [("auth", "0012_alter_user_first_name_max_length")]

    operations = [
        migrations.CreateModel(
            name="User",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("password", models.CharField(max_length=128, verbose_name="password")),
                ("last_login", models.DateTimeField(blank=True, null=True, verbose_name="last login")),
                (
                    "is_superuser",
                    models.BooleanField(
                        default=False,
                        help_text="Designates that this user has all permissions without explicitly assigning them.",
                        verbose_name="superuser status",
                    ),
                ),
                ("email", models.EmailField(max_length=254, unique=True, verbose_name="e-mail address")),
                ("name", models.CharField(blank=True, max_length=120, verbose_name="name")),
                ("is_staff", models.BooleanField(default=False, verbose_name="operations staff")),
                ("is_active", models.BooleanField(default=True, verbose_name="active")),
                (
                    "date_joined",
                    models.DateTimeField(default=django.utils.timezone.now, verbose_name="joined"),
                ),
                (
                    "groups",
                    models.ManyToManyField(
                        blank=True,
                        help_text="The groups this user belongs to. A user will get all permissions granted to each of their groups.",
                        related_name="user_set",
                        related_query_name="user",
                        to="auth.group",
                        verbose_name="groups",
                    ),
                ),
                (
                    "user_permissions",
                    models.ManyToManyField(
                        blank=True,
                        help_text="Specific permissions for this user.",
                        related_name="user_set",
                        related_query_name="user",
                        to="auth.permission",
                        verbose_name="user permissions",
                    ),
                ),
            ],
            options={
                "verbose_name": "user",
                "verbose_name_plural": "users",
            },
        ),
        migrations.CreateModel(
            name="Organisation",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("courier", "Courier company"),
                            ("merchant", "Merchant"),
                            ("operator", "Alliance operator"),
                        ],
                        max_length=10,
                        verbose_name="kind",
                    ),
                ),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("applicant", "Applicant"),
                            ("active", "Active"),
                            ("suspended", "Suspended"),
                        ],
                        default="active",
                        max_length=10,
                        verbose_name="status",
                    ),
                ),
                ("name", models.CharField(max_length=200, verbose_name="name")),
                ("slug", models.SlugField(max_length=80, unique=True, verbose_name="short name")),
                (
                    "created_at",
                    models.DateTimeField(default=django.utils.timezone.now, verbose_name="created"),
                ),
            ],
            options={
                "verbose_name": "organisation",
                "verbose_name_plural": "organisations",
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("kind__in", ["courier", "merchant", "operator"])),
                        name="organisation_kind_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("status__in", ["applicant", "active", "suspended"])),
                        name="organisation_status_known",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Member",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
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
                ("created_at", models.DateTimeField(default=django.utils.timezone.now, verbose_name="since")),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="memberships",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "organisation",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="members",
                        to="alliance.organisation",
                    ),
                ),
            ],
            options={
                "verbose_name": "member",
                "verbose_name_plural": "members",
                "constraints": [
                    models.UniqueConstraint(
                        fields=("organisation", "user"), name="member_once_an_organisation"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("role__in", ["owner", "manager", "agent", "finance", "viewer"])),
                        name="member_role_known",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="ApiKey",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("name", models.CharField(max_length=80, verbose_name="name")),
                ("prefix", models.CharField(max_length=12, unique=True, verbose_name="prefix")),
                ("secret_hash", models.CharField(max_length=64)),
                (
                    "scopes",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(
                            choices=[
                                ("parcels:read", "See parcels and their scans"),
                                ("parcels:book", "Quote, book and cancel parcels"),
                                ("scans:write", "Send scans"),
                                ("offers:read", "See own offers and capacity"),
                                ("offers:write", "Change own offers and capacity"),
                                ("rates:read", "See on-time rates and breaches"),
                                ("excuses:claim", "Request exemptions for breaches"),
                                ("export", "Download lists"),
                                ("parcels:unmask", "See full names, phones and addresses"),
                                ("finance:read", "See fees and statements"),
                                ("application:write", "Fill in and submit the courier application"),
                                ("members:write", "Invite and remove members"),
                                ("keys:write", "Create and revoke API keys"),
                                (
                                    "alliance:operate",
                                    "Run the alliance: rules, closures, applications, accounting",
                                ),
                            ],
                            max_length=24,
                        ),
                        size=None,
                        verbose_name="scopes",
                    ),
                ),
                (
                    "created_at",
                    models.DateTimeField(default=django.utils.timezone.now, verbose_name="created"),
                ),
                ("last_used_at", models.DateTimeField(blank=True, null=True, verbose_name="last used")),
                ("revoked_at", models.DateTimeField(blank=True, null=True, verbose_name="revoked")),
                (
                    "created_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="created by",
                    ),
                ),
                (
                    "organisation",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="api_keys",
                        to="alliance.organisation",
                        verbose_name="organisation",
                    ),
                ),
            ],
            options={
                "verbose_name": "API key",
                "verbose_name_plural": "API keys",
            },
        ),
        migrations.CreateModel(
            name="City",
            fields=[
                ("id", models.AutoField(primary_key=True, serialize=False)),
                ("code", models.CharField(max_length=16, unique=True, verbose_name="code")),
                ("name_en", models.CharField(max_length=120, verbose_name="English name")),
                ("name_zh", models.CharField(max_length=120, verbose_name="Chinese name")),
                ("province_en", models.CharField(blank=True, max_length=120, verbose_name="province")),
                (
                    "province_zh",
                    models.CharField(blank=True, max_length=120, verbose_name="province (Chinese)"),
                ),
                ("country", models.CharField(max_length=2, verbose_name="country")),
                ("time_zone", models.CharField(max_length=64, verbose_name="time zone")),
                ("latitude", models.FloatField(verbose_name="latitude")),
                ("longitude", models.FloatField(verbose_name="longitude")),
                ("population", models.IntegerField(default=0, verbose_name="population")),
                ("search_text", models.TextField(blank=True, default="")),
            ],
            options={
                "verbose_name": "city",
                "verbose_name_plural": "cities",
                "ordering": ["-population"],
            },
        ),
        migrations.CreateModel(
            name="AuditEntry",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("at", models.DateTimeField(default=django.utils.timezone.now, verbose_name="at")),
                ("organisation_id", models.BigIntegerField(null=True, verbose_name="organisation")),
                ("actor_kind", models.CharField(max_length=10, verbose_name="kind of actor")),
                ("actor_label", models.CharField(max_length=160, verbose_name="actor")),
                ("user_id", models.BigIntegerField(null=True, verbose_name="user id")),
                ("api_key_id", models.BigIntegerField(null=True, verbose_name="API key id")),
                ("verb", models.CharField(max_length=60, verbose_name="verb")),
                ("object_type", models.CharField(max_length=40, verbose_name="object")),
                ("object_id", models.CharField(max_length=40, verbose_name="object id")),
                ("detail", models.JSONField(default=dict, verbose_name="detail")),
                ("request_id", models.CharField(blank=True, max_length=64, verbose_name="request id")),
            ],
            options={
                "verbose_name": "audit entry",
                "verbose_name_plural": "audit entries",
                "indexes": [
                    models.Index(fields=["object_type", "object_id", "-at"], name="audit_by_object"),
                    models.Index(fields=["organisation_id", "-at"], name="audit_by_organisation"),
                ],
            },
        ),
        migrations.CreateModel(
            name="Event",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("topic", models.CharField(max_length=40, verbose_name="topic")),
                ("at", models.DateTimeField(default=django.utils.timezone.now, verbose_name="at")),
                ("merchant_id", models.BigIntegerField(null=True, verbose_name="merchant id")),
                ("courier_id", models.BigIntegerField(null=True, verbose_name="courier id")),
                ("parcel_id", models.BigIntegerField(null=True, verbose_name="parcel id")),
                ("payload", models.JSONField(default=dict, verbose_name="content")),
            ],
            options={
                "verbose_name": "event",
                "verbose_name_plural": "events",
            },
        ),
        migrations.CreateModel(
            name="IdempotentRequest",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("route", models.CharField(max_length=120)),
                ("key", models.CharField(max_length=255)),
                ("body_hash", models.CharField(max_length=64)),
                ("status", models.PositiveSmallIntegerField()),
                ("answer", models.TextField()),
                ("created_at", models.DateTimeField(db_index=True, default=django.utils.timezone.now)),
                (
                    "organisation",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="alliance.organisation",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("organisation", "route", "key"), name="idempotency_key_once"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="Heartbeat",
            fields=[
                (
                    "name",
                    models.CharField(max_length=60, primary_key=True, serialize=False, verbose_name="name"),
                ),
                ("at", models.DateTimeField(verbose_name="last run")),
                ("detail", models.JSONField(default=dict, verbose_name="detail")),
            ],
            options={
                "verbose_name": "system check",
                "verbose_name_plural": "system checks",
            },
        ),
        migrations.CreateModel(
            name="RetiredMonth",
            fields=[
                ("month", models.DateField(primary_key=True, serialize=False, verbose_name="month")),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("leaving", "Exporting"),
                            ("detached", "Writing"),
                            ("written", "Written, being removed"),
                            ("gone", "Archived in files only"),
                        ],
                        default="leaving",
                        max_length=10,
                        verbose_name="state",
                    ),
                ),
                ("due_through", models.DateField(null=True, verbose_name="due until")),
                ("folder", models.CharField(max_length=40, verbose_name="folder")),
                ("tables", models.JSONField(default=dict, verbose_name="files")),
                ("began_at", models.DateTimeField(default=django.utils.timezone.now, verbose_name="started")),
                ("gone_at", models.DateTimeField(null=True, verbose_name="removed at")),
                ("label", models.CharField(max_length=160, verbose_name="by")),
            ],
            options={
                "verbose_name": "retired month",
                "verbose_name_plural": "retired months",
                "ordering": ["-month"],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("month__day", 1)), name="retired_month_is_a_month"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("state__in", ["leaving", "detached", "written", "gone"])),
                        name="retired_month_state_known",
                    ),
                ],
            },
        ),
    ]
