"""Changes of a courier's data after its approval, and documents that are added then."""

import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

from alliance.tenancy import row_policy

# As in 0003, but ops change the cities of an approved application, and its company adds documents.
PART_GUARD = """
CREATE OR REPLACE FUNCTION couriers_application_part_guard() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    part record;
    parent record;
    is_later boolean;
BEGIN
    IF TG_OP = 'DELETE' THEN part := OLD; ELSE part := NEW; END IF;
    SELECT state, organisation_id INTO parent FROM couriers_application WHERE id = part.application_id;
    is_later := parent.state = 'approved' AND (
        (TG_TABLE_NAME = 'couriers_servicecity' AND current_setting('alliance.scope', true) = 'all')
        OR (TG_TABLE_NAME = 'couriers_document' AND TG_OP = 'INSERT'));
    IF parent.state IS NULL OR (parent.state NOT IN ('draft', 'more_needed') AND NOT is_later) THEN
        RAISE EXCEPTION 'an application that is % cannot be edited', parent.state USING
            ERRCODE = 'check_violation', CONSTRAINT = 'application_frozen';
    END IF;
    IF parent.organisation_id <> part.organisation_id THEN
        RAISE EXCEPTION 'what belongs to an application belongs to its organisation' USING
            ERRCODE = 'check_violation', CONSTRAINT = 'application_part_of_organisation';
    END IF;
    RETURN part;
END $$;
"""


class Migration(migrations.Migration):
    dependencies = [("couriers", "0004_contacts"), ("alliance", "0005_invitations")]

    operations = [
        migrations.CreateModel(
            name="ChangeRequest",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("waiting", "Waiting for review"),
                            ("approved", "Approved"),
                            ("declined", "Declined"),
                            ("withdrawn", "Withdrawn"),
                        ],
                        default="waiting",
                        max_length=10,
                        verbose_name="state",
                    ),
                ),
                ("before", models.JSONField(verbose_name="before")),
                ("values", models.JSONField(verbose_name="proposed")),
                ("note", models.TextField(blank=True, verbose_name="note")),
                ("reason", models.TextField(blank=True, verbose_name="reason")),
                (
                    "requested_at",
                    models.DateTimeField(default=django.utils.timezone.now, verbose_name="requested"),
                ),
                ("decided_at", models.DateTimeField(blank=True, null=True, verbose_name="decided")),
                (
                    "organisation",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="alliance.organisation",
                        verbose_name="organisation",
                    ),
                ),
                (
                    "requested_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="requested by",
                    ),
                ),
            ],
            options={
                "verbose_name": "change of data",
                "verbose_name_plural": "changes of data",
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("state__in", ["waiting", "approved", "declined", "withdrawn"])),
                        name="change_state_known",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("state", "waiting")),
                        fields=("organisation",),
                        name="change_one_waiting_an_organisation",
                    ),
                ],
            },
        ),
        row_policy("couriers_changerequest", courier="organisation_id"),
        # Backwards, later changes stay as they are.
        migrations.RunSQL(PART_GUARD, migrations.RunSQL.noop),
    ]
