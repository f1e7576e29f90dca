"""Couriers, the applications by which they join, and the facilities they share."""

import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

import couriers.documents.files


class Migration(migrations.Migration):
    initial = True

    dependencies = [("alliance", "0001_schema"), migrations.swappable_dependency(settings.AUTH_USER_MODEL)]

    operations = [
        migrations.CreateModel(
            name="Application",
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
                            ("draft", "Draft"),
                            ("submitted", "Waiting for review"),
                            ("more_needed", "More information needed"),
                            ("approved", "Approved"),
                            ("rejected", "Rejected"),
                        ],
                        default="draft",
                        max_length=12,
                        verbose_name="state",
                    ),
                ),
                ("legal_name", models.CharField(blank=True, max_length=200, verbose_name="legal name")),
                (
                    "credit_code",
                    models.CharField(blank=True, max_length=18, verbose_name="unified social credit code"),
                ),
                (
                    "permit_number",
                    models.CharField(blank=True, max_length=40, verbose_name="express permit number"),
                ),
                ("founded_on", models.DateField(blank=True, null=True, verbose_name="founded on")),
                (
                    "fleet_size",
                    models.IntegerField(blank=True, null=True, verbose_name="vehicles in the fleet"),
                ),
                ("daily_capacity", models.IntegerField(blank=True, null=True, verbose_name="parcels a day")),
                ("contact_name", models.CharField(blank=True, max_length=120, verbose_name="contact person")),
                ("contact_phone", models.CharField(blank=True, max_length=40, verbose_name="phone")),
                ("contact_email", models.EmailField(blank=True, max_length=254, verbose_name="e-mail")),
                ("language", models.CharField(default="en", max_length=10, verbose_name="language")),
                (
                    "created_at",
                    models.DateTimeField(default=django.utils.timezone.now, verbose_name="started"),
                ),
                (
                    "updated_at",
                    models.DateTimeField(default=django.utils.timezone.now, verbose_name="last change"),
                ),
                ("submitted_at", models.DateTimeField(blank=True, null=True, verbose_name="submitted")),
                ("decided_at", models.DateTimeField(blank=True, null=True, verbose_name="decided")),
                (
                    "created_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="applicant",
                    ),
                ),
                (
                    "organisation",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="applications",
                        to="alliance.organisation",
                        verbose_name="organisation",
                    ),
                ),
            ],
            options={
                "verbose_name": "application",
                "verbose_name_plural": "applications",
                "indexes": [
                    models.Index(
                        condition=models.Q(("state", "submitted")),
                        fields=["submitted_at"],
                        name="application_queue",
                    )
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("state__in", ["draft", "submitted", "more_needed", "approved", "rejected"])
                        ),
                        name="application_state_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("fleet_size", None),
                            models.Q(("fleet_size__gte", 1), ("fleet_size__lte", 1000000)),
                            _connector="OR",
                        ),
                        name="application_fleet_plausible",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("daily_capacity", None),
                            models.Q(("daily_capacity__gte", 1), ("daily_capacity__lte", 100000000)),
                            _connector="OR",
                        ),
                        name="application_capacity_plausible",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("state", "draft"), ("submitted_at__isnull", False), _connector="OR"
                        ),
                        name="application_submitted_has_time",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("state__in", ["draft", "more_needed"]),
                            models.Q(
                                models.Q(("legal_name", ""), _negated=True),
                                models.Q(("credit_code", ""), _negated=True),
                                models.Q(("permit_number", ""), _negated=True),
                                models.Q(("contact_name", ""), _negated=True),
                                models.Q(("contact_phone", ""), _negated=True),
                                models.Q(("contact_email", ""), _negated=True),
                                ("daily_capacity__isnull", False),
                                ("fleet_size__isnull", False),
                                ("founded_on__isnull", False),
                            ),
                            _connector="OR",
                        ),
                        name="application_submitted_is_complete",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("decided_at__isnull", False), ("state__in", ["approved", "rejected"])),
                            models.Q(
                                models.Q(("state__in", ["approved", "rejected"]), _negated=True),
                                ("decided_at__isnull", True),
                            ),
                            _connector="OR",
                        ),
                        name="application_decided_has_time",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("state", "rejected"), _negated=True),
                        fields=("organisation",),
                        name="application_one_open_an_organisation",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="ServiceCity",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "application",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="service_cities",
                        to="couriers.application",
                    ),
                ),
                (
                    "city",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="alliance.city"
                    ),
                ),
                (
                    "organisation",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="alliance.organisation",
                    ),
                ),
            ],
            options={
                "verbose_name": "service city",
                "verbose_name_plural": "service cities",
                "constraints": [
                    models.UniqueConstraint(
                        fields=("application", "city"), name="service_city_once_an_application"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="ApplicationEvent",
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
                            ("draft", "Draft"),
                            ("submitted", "Waiting for review"),
                            ("more_needed", "More information needed"),
                            ("approved", "Approved"),
                            ("rejected", "Rejected"),
                        ],
                        max_length=12,
                        verbose_name="state",
                    ),
                ),
                ("reason", models.TextField(blank=True, verbose_name="reason")),
                ("actor_label", models.CharField(max_length=160, verbose_name="by")),
                ("at", models.DateTimeField(default=django.utils.timezone.now, verbose_name="at")),
                ("mail_claimed_at", models.DateTimeField(blank=True, null=True)),
                ("mailed_at", models.DateTimeField(blank=True, null=True, verbose_name="mailed")),
                (
                    "application",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="events",
                        to="couriers.application",
                    ),
                ),
                (
                    "organisation",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="alliance.organisation",
                    ),
                ),
            ],
            options={
                "verbose_name": "change of state",
                "verbose_name_plural": "changes of state",
                "ordering": ["-at", "-pk"],
                "indexes": [
                    models.Index(
                        condition=models.Q(("mailed_at", None)),
                        fields=["at"],
                        name="application_event_unmailed",
                    )
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("state__in", ["draft", "submitted", "more_needed", "approved", "rejected"])
                        ),
                        name="application_event_state_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("state__in", ["more_needed", "rejected"]), _negated=True),
                            models.Q(("reason", ""), _negated=True),
                            _connector="OR",
                        ),
                        name="application_event_has_reason",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Document",
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
                            ("business_licence", "Business licence"),
                            ("express_permit", "Express delivery permit"),
                            ("insurance", "Insurance"),
                            ("other", "Other"),
                        ],
                        max_length=20,
                        verbose_name="kind",
                    ),
                ),
                (
                    "file",
                    models.FileField(
                        max_length=120,
                        storage=couriers.documents.files.private_storage,
                        upload_to=couriers.documents.files.random_name,
                        verbose_name="file",
                    ),
                ),
                ("name", models.CharField(max_length=160, verbose_name="file name")),
                ("content_type", models.CharField(max_length=40, verbose_name="type")),
                ("size", models.IntegerField(verbose_name="bytes")),
                ("sha256", models.CharField(max_length=64)),
                (
                    "uploaded_at",
                    models.DateTimeField(default=django.utils.timezone.now, verbose_name="uploaded"),
                ),
                (
                    "application",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="documents",
                        to="couriers.application",
                    ),
                ),
                (
                    "organisation",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="alliance.organisation",
                    ),
                ),
                (
                    "uploaded_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "verbose_name": "document",
                "verbose_name_plural": "documents",
                "ordering": ["kind", "uploaded_at", "pk"],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("application", "kind", "sha256"), name="document_once_an_application"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("kind__in", ["business_licence", "express_permit", "insurance", "other"])
                        ),
                        name="document_kind_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("content_type__in", ["application/pdf", "image/png", "image/jpeg"])
                        ),
                        name="document_type_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("size__gte", 1), ("size__lte", 10485760)),
                        name="document_size_allowed",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Facility",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("name", models.CharField(max_length=200, verbose_name="name")),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("warehouse", "Warehouse"),
                            ("distribution_centre", "Distribution centre"),
                            ("pickup_point", "Collection point"),
                        ],
                        max_length=20,
                        verbose_name="kind",
                    ),
                ),
                (
                    "city",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="alliance.city",
                        verbose_name="city",
                    ),
                ),
            ],
            options={
                "verbose_name": "facility",
                "verbose_name_plural": "facilities",
                "ordering": ["name"],
                "constraints": [
                    models.UniqueConstraint(fields=("city", "name"), name="facility_name_once_a_city"),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("kind__in", ["warehouse", "distribution_centre", "pickup_point"])
                        ),
                        name="facility_kind_known",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Courier",
            fields=[
                (
                    "organisation",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        related_name="courier",
                        serialize=False,
                        to="alliance.organisation",
                        verbose_name="organisation",
                    ),
                ),
                ("legal_name", models.CharField(max_length=200, verbose_name="legal name")),
                (
                    "permit_number",
                    models.CharField(blank=True, max_length=40, verbose_name="express permit number"),
                ),
                ("contact_name", models.CharField(blank=True, max_length=120, verbose_name="contact")),
                ("contact_phone", models.CharField(blank=True, max_length=40, verbose_name="phone")),
                ("contact_email", models.EmailField(blank=True, max_length=254, verbose_name="e-mail")),
                ("joined_at", models.DateTimeField(blank=True, null=True, verbose_name="joined")),
                (
                    "credit_code",
                    models.CharField(
                        blank=True, default="", max_length=18, verbose_name="unified social credit code"
                    ),
                ),
                (
                    "grade",
                    models.CharField(
                        choices=[
                            ("gold", "Gold"),
                            ("silver", "Silver"),
                            ("member", "Member"),
                            ("probation", "Probation"),
                        ],
                        default="member",
                        max_length=10,
                        verbose_name="grade",
                    ),
                ),
            ],
            options={
                "verbose_name": "courier",
                "verbose_name_plural": "couriers",
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("credit_code", ""), _negated=True),
                        fields=("credit_code",),
                        name="courier_credit_code_once",
                    )
                ],
            },
        ),
        migrations.AddField(
            model_name="application",
            name="cities",
            field=models.ManyToManyField(
                related_name="+",
                through="couriers.ServiceCity",
                to="alliance.city",
                verbose_name="service cities",
            ),
        ),
    ]
