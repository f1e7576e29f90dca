"""Applications of couriers, with their service cities and history."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from alliance.models import City, Organisation
from couriers.applications.querysets import ApplicationPartQuerySet, ApplicationQuerySet
from couriers.applications.rules import CONTACT_LENGTH, EDITABLE, MOST_PARCELS, MOST_VEHICLES, NAME_LENGTH
from couriers.choices import ApplicationState

FINAL = [ApplicationState.APPROVED, ApplicationState.REJECTED]


class Application(models.Model):
    """A courier company's request to join, from the first draft to the decision.

    A trigger enforces the table of transitions, requires the scope of ops for decisions, and refuses
    changes of a submitted application.
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
    # The language of mails to the applicant.
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
            # A company has one open or approved application at most; rejected ones are kept.
            models.UniqueConstraint(
                fields=["organisation"],
                condition=~Q(state=ApplicationState.REJECTED),
                name="application_one_open_an_organisation",
            ),
        ]
        indexes: ClassVar[list[models.Index]] = [
            # For the queue in the admin: waiting applications, longest first.
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
    """A city in which the applicant collects and delivers."""

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


class ApplicationEvent(models.Model):
    """One change of an application's state, for the history shown to the applicant, and its mail."""

    organisation = models.ForeignKey(Organisation, models.PROTECT, related_name="+")
    application = models.ForeignKey(Application, models.PROTECT, related_name="events")
    state = models.CharField(_("state"), max_length=12, choices=ApplicationState)
    reason = models.TextField(_("reason"), blank=True)
    actor_label = models.CharField(_("by"), max_length=160)
    at = models.DateTimeField(_("at"), default=timezone.now)
    # A task claims the mail, sends it, and records that it was sent.
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
            # For the sweeper of unsent mails.
            models.Index(fields=["at"], condition=Q(mailed_at=None), name="application_event_unmailed"),
        ]

    def __str__(self) -> str:
        return self.get_state_display()
