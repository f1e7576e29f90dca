"""Courier companies: how they become members of the alliance, and what members share."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from alliance.models import City, Organisation
from couriers.applications import CONTACT_LENGTH, EDITABLE, MOST_PARCELS, MOST_VEHICLES, NAME_LENGTH
from couriers.choices import ApplicationState, DocumentKind, FacilityKind, Grade
from couriers.documents import EXTENSIONS, MAX_BYTES, private_storage, random_name
from couriers.querysets import (
    ApplicationPartQuerySet,
    ApplicationQuerySet,
    CourierQuerySet,
    FacilityQuerySet,
)

FINAL = [ApplicationState.APPROVED, ApplicationState.REJECTED]


class Courier(models.Model):
    """A courier company that has joined: the record its approved application became."""

    organisation = models.OneToOneField(
        Organisation, models.PROTECT, primary_key=True, related_name="courier", verbose_name=_("organisation")
    )
    legal_name = models.CharField(_("legal name"), max_length=200)
    credit_code = models.CharField(_("unified social credit code"), max_length=18, blank=True, default="")
    permit_number = models.CharField(_("express permit number"), max_length=40, blank=True)
    contact_name = models.CharField(_("contact"), max_length=120, blank=True)
    contact_phone = models.CharField(_("phone"), max_length=40, blank=True)
    contact_email = models.EmailField(_("e-mail"), blank=True)
    joined_at = models.DateTimeField(_("joined"), null=True, blank=True)
    # Of its newest final scorecard; who has none is a member.
    grade = models.CharField(_("grade"), max_length=10, choices=Grade, default=Grade.MEMBER)

    objects = models.Manager.from_queryset(CourierQuerySet)()

    class Meta:
        verbose_name = _("courier")
        verbose_name_plural = _("couriers")
        constraints: ClassVar[list[models.BaseConstraint]] = [
            # Couriers known from history only have no code.
            models.UniqueConstraint(
                fields=["credit_code"], condition=~Q(credit_code=""), name="courier_credit_code_once"
            ),
        ]

    def __str__(self) -> str:
        return self.legal_name


class Application(models.Model):
    """A courier company's request to join, from the first saved line to the alliance's decision.

    A trigger holds the table of transitions, asks for the alliance's own scope where the
    alliance decides, and keeps what was submitted as it was.
    """

    organisation = models.ForeignKey(
        Organisation, models.PROTECT, related_name="applications", verbose_name=_("organisation")
    )
    state = models.CharField(
        _("state"), max_length=12, choices=ApplicationState, default=ApplicationState.DRAFT
    )
    legal_name = models.CharField(_("legal name"), max_length=NAME_LENGTH, blank=True)
    credit_code = models.CharField(_("unified social credit code"), max_length=18, blank=True)
    permit_number = models.CharField(_("express permit number"), max_length=40, blank=True)
    founded_on = models.DateField(_("founded on"), null=True, blank=True)
    fleet_size = models.IntegerField(_("vehicles in the fleet"), null=True, blank=True)
    daily_capacity = models.IntegerField(_("parcels a day"), null=True, blank=True)
    contact_name = models.CharField(_("contact person"), max_length=CONTACT_LENGTH, blank=True)
    contact_phone = models.CharField(_("phone"), max_length=40, blank=True)
    contact_email = models.EmailField(_("e-mail"), blank=True)
    # What mails to the applicant are written in.
    language = models.CharField(_("language"), max_length=10, default="en")
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+", verbose_name=_("applicant")
    )
    created_at = models.DateTimeField(_("started"), default=timezone.now)
    updated_at = models.DateTimeField(_("last change"), default=timezone.now)
    submitted_at = models.DateTimeField(_("submitted"), null=True, blank=True)
    decided_at = models.DateTimeField(_("decided"), null=True, blank=True)

    cities = models.ManyToManyField(
        City, through="ServiceCity", related_name="+", verbose_name=_("service cities")
    )

    objects = models.Manager.from_queryset(ApplicationQuerySet)()

    class Meta:
        verbose_name = _("application")
        verbose_name_plural = _("applications")
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(
                name="application_state_known", condition=Q(state__in=ApplicationState.values)
            ),
            models.CheckConstraint(
                name="application_fleet_plausible",
                condition=Q(fleet_size=None) | Q(fleet_size__gte=1, fleet_size__lte=MOST_VEHICLES),
            ),
            models.CheckConstraint(
                name="application_capacity_plausible",
                condition=Q(daily_capacity=None) | Q(daily_capacity__gte=1, daily_capacity__lte=MOST_PARCELS),
            ),
            models.CheckConstraint(
                name="application_submitted_has_time",
                condition=Q(state=ApplicationState.DRAFT) | Q(submitted_at__isnull=False),
            ),
            models.CheckConstraint(
                name="application_submitted_is_complete",
                condition=Q(state__in=sorted(EDITABLE))
                | (
                    ~Q(legal_name="")
                    & ~Q(credit_code="")
                    & ~Q(permit_number="")
                    & ~Q(contact_name="")
                    & ~Q(contact_phone="")
                    & ~Q(contact_email="")
                    & Q(founded_on__isnull=False, fleet_size__isnull=False, daily_capacity__isnull=False)
                ),
            ),
            models.CheckConstraint(
                name="application_decided_has_time",
                condition=Q(state__in=FINAL, decided_at__isnull=False)
                | (~Q(state__in=FINAL) & Q(decided_at__isnull=True)),
            ),
            # Rejected ones stay; beside them a company has one that is open or was approved.
            models.UniqueConstraint(
                fields=["organisation"],
                condition=~Q(state=ApplicationState.REJECTED),
                name="application_one_open_an_organisation",
            ),
        ]
        indexes: ClassVar[list[models.Index]] = [
            # The queue in the admin: what waits, longest first.
            models.Index(
                fields=["submitted_at"],
                condition=Q(state=ApplicationState.SUBMITTED),
                name="application_queue",
            ),
        ]

    def __str__(self) -> str:
        return self.legal_name or gettext("Unnamed application")

    @property
    def is_editable(self) -> bool:
        return self.state in EDITABLE


class ServiceCity(models.Model):
    """A city the applicant collects in and delivers to."""

    organisation = models.ForeignKey(Organisation, models.PROTECT, related_name="+")
    application = models.ForeignKey(Application, models.PROTECT, related_name="service_cities")
    city = models.ForeignKey(City, models.PROTECT, related_name="+")

    objects = models.Manager.from_queryset(ApplicationPartQuerySet)()

    class Meta:
        verbose_name = _("service city")
        verbose_name_plural = _("service cities")
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["application", "city"], name="service_city_once_an_application"),
        ]

    def __str__(self) -> str:
        return str(self.city)


class Document(models.Model):
    """A paper that proves what an application says. Private: served only after asking who looks."""

    organisation = models.ForeignKey(Organisation, models.PROTECT, related_name="+")
    application = models.ForeignKey(Application, models.PROTECT, related_name="documents")
    kind = models.CharField(_("kind"), max_length=20, choices=DocumentKind)
    file = models.FileField(_("file"), storage=private_storage, upload_to=random_name, max_length=120)
    name = models.CharField(_("file name"), max_length=160)
    content_type = models.CharField(_("type"), max_length=40)
    size = models.IntegerField(_("bytes"))
    sha256 = models.CharField(max_length=64)
    uploaded_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    uploaded_at = models.DateTimeField(_("uploaded"), default=timezone.now)

    objects = models.Manager.from_queryset(ApplicationPartQuerySet)()

    class Meta:
        verbose_name = _("document")
        verbose_name_plural = _("documents")
        ordering: ClassVar[list[str]] = ["kind", "uploaded_at", "pk"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["application", "kind", "sha256"], name="document_once_an_application"
            ),
            models.CheckConstraint(name="document_kind_known", condition=Q(kind__in=DocumentKind.values)),
            models.CheckConstraint(
                name="document_type_known", condition=Q(content_type__in=list(EXTENSIONS))
            ),
            models.CheckConstraint(
                name="document_size_allowed", condition=Q(size__gte=1, size__lte=MAX_BYTES)
            ),
        ]

    def __str__(self) -> str:
        return self.name


class ApplicationEvent(models.Model):
    """One change of an application's state: the history the applicant reads, and the mail about it."""

    organisation = models.ForeignKey(Organisation, models.PROTECT, related_name="+")
    application = models.ForeignKey(Application, models.PROTECT, related_name="events")
    state = models.CharField(_("state"), max_length=12, choices=ApplicationState)
    reason = models.TextField(_("reason"), blank=True)
    actor_label = models.CharField(_("by"), max_length=160)
    at = models.DateTimeField(_("at"), default=timezone.now)
    # A task claims the mail, sends it, and notes that it went out.
    mail_claimed_at = models.DateTimeField(null=True, blank=True)
    mailed_at = models.DateTimeField(_("mailed"), null=True, blank=True)

    objects = models.Manager.from_queryset(ApplicationPartQuerySet)()

    class Meta:
        verbose_name = _("change of state")
        verbose_name_plural = _("changes of state")
        ordering: ClassVar[list[str]] = ["-at", "-pk"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(
                name="application_event_state_known", condition=Q(state__in=ApplicationState.values)
            ),
            models.CheckConstraint(
                name="application_event_has_reason",
                condition=~Q(state__in=[ApplicationState.MORE_NEEDED, ApplicationState.REJECTED])
                | ~Q(reason=""),
            ),
        ]
        indexes: ClassVar[list[models.Index]] = [
            # The sweeper of mails that never went out.
            models.Index(fields=["at"], condition=Q(mailed_at=None), name="application_event_unmailed"),
        ]

    def __str__(self) -> str:
        return self.get_state_display()


class Facility(models.Model):
    """A warehouse, distribution centre or collection point that the alliance's couriers share."""

    name = models.CharField(_("name"), max_length=200)
    city = models.ForeignKey(City, models.PROTECT, related_name="+", verbose_name=_("city"))
    kind = models.CharField(_("kind"), max_length=20, choices=FacilityKind)

    objects = models.Manager.from_queryset(FacilityQuerySet)()

    class Meta:
        verbose_name = _("facility")
        verbose_name_plural = _("facilities")
        ordering: ClassVar[list[str]] = ["name"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["city", "name"], name="facility_name_once_a_city"),
            models.CheckConstraint(name="facility_kind_known", condition=Q(kind__in=FacilityKind.values)),
        ]

    def __str__(self) -> str:
        return self.name
