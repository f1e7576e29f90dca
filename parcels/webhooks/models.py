"""Endpoints of webhooks, their secrets, what is delivered to them, and figures of that."""

from typing import ClassVar
from urllib.parse import urlsplit

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from alliance.file_jobs import FileJob
from alliance.models import Organisation, User
from alliance.tenancy import TenantQuerySet
from parcels.choices import DeliveryState, ReplayKind, ReplayState, WebhookCause, WebhookState
from parcels.webhooks.querysets import DeliveryQuerySet, EndpointQuerySet, SecretQuerySet
from parcels.webhooks.rules import DESCRIPTION_LENGTH, PREFIX_LENGTH, URL_LENGTH, message_id, new_code


class WebhookEndpoint(models.Model):
    """An address of a member's program, to which events are sent."""

    # By which programs know it.
    code = models.CharField(_("id"), max_length=24, unique=True, default=new_code, editable=False)
    organisation = models.ForeignKey(
        Organisation, models.PROTECT, db_index=False, related_name="+", verbose_name=_("organisation")
    )
    url = models.CharField(_("address"), max_length=URL_LENGTH)
    description = models.CharField(_("description"), max_length=DESCRIPTION_LENGTH, blank=True)
    topics = ArrayField(models.CharField(max_length=40), verbose_name=_("events"))
    # Of one shop of several: only events of parcels whose reference begins with it.
    reference_prefix = models.CharField(
        _("reference begins with"), max_length=PREFIX_LENGTH, blank=True, default="", db_default=""
    )
    state = models.CharField(_("state"), max_length=8, choices=WebhookState, default=WebhookState.ACTIVE)
    cause = models.CharField(_("cause"), max_length=8, choices=WebhookCause, blank=True)
    created_by = models.ForeignKey(
        User, models.SET_NULL, null=True, related_name="+", verbose_name=_("created by")
    )
    created_at = models.DateTimeField(_("created"), default=timezone.now)
    # Events of before are not kept for it: since it was made, or switched on again.
    listens_from = models.DateTimeField(_("events since"), default=timezone.now)
    stopped_at = models.DateTimeField(_("stopped"), null=True)
    # When the next delivery is due, as far as is known; NULL while somebody is at work.
    next_due_at = models.DateTimeField(_("next attempt"), null=True)
    # One worker at a time sends to it. `lease` counts them: whoever lost it knows.
    leased_until = models.DateTimeField(null=True)
    lease = models.BigIntegerField(default=0)
    # Batches in a row of which nothing arrived, since when, and until when nothing is tried.
    failures = models.PositiveIntegerField(default=0)
    failing_since = models.DateTimeField(_("failing since"), null=True)
    held_until = models.DateTimeField(_("held back until"), null=True)
    # How often its people were told.
    warned = models.PositiveSmallIntegerField(default=0)

    objects = models.Manager.from_queryset(EndpointQuerySet)()

    class Meta:
        verbose_name = _("webhook")
        verbose_name_plural = _("webhooks")
        ordering: ClassVar[list[str]] = ["-id"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(name="webhook_state_known", condition=Q(state__in=WebhookState.values)),
            models.CheckConstraint(
                name="webhook_cause_of_disabled",
                condition=Q(state=WebhookState.DISABLED, cause__in=WebhookCause.values)
                | Q(~Q(state=WebhookState.DISABLED), cause=""),
            ),
            models.CheckConstraint(name="webhook_has_topics", condition=~Q(topics=[])),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["organisation", "-id"], name="webhook_by_organisation"),
            # Workers look for those with something to send, and for those whose worker was killed.
            models.Index(fields=["next_due_at"], name="webhook_due", condition=Q(state=WebhookState.ACTIVE)),
            # Ops' filter of those at which nothing arrives.
            models.Index(fields=["-id"], name="webhook_failing", condition=Q(failing_since__isnull=False)),
            models.Index(
                fields=["leased_until"], name="webhook_leased", condition=Q(leased_until__isnull=False)
            ),
        ]

    def __str__(self) -> str:
        return self.description or self.url

    @property
    def host(self) -> str:
        """Return the address without what comes after its name, which may be long, and secret."""
        return urlsplit(self.url).netloc

    @property
    def is_active(self) -> bool:
        return self.state == WebhookState.ACTIVE

    @property
    def is_stopped_by_ops(self) -> bool:
        return self.cause == WebhookCause.STOPPED

    @property
    def is_stopped(self) -> bool:
        return self.state != WebhookState.ACTIVE


class WebhookSecret(models.Model):
    """A secret by which an endpoint's messages are signed. Several are valid while one replaces another."""

    organisation = models.ForeignKey(Organisation, models.PROTECT, db_index=False, related_name="+")
    endpoint = models.ForeignKey(WebhookEndpoint, models.CASCADE, related_name="secrets")
    # Encrypted: see parcels/webhooks/signing.py.
    sealed = models.TextField()
    # The last characters, by which people tell secrets apart.
    ending = models.CharField(max_length=4)
    created_at = models.DateTimeField(default=timezone.now)
    created_by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")
    ends_at = models.DateTimeField(null=True)

    objects = models.Manager.from_queryset(SecretQuerySet)()

    class Meta:
        verbose_name = _("webhook secret")
        verbose_name_plural = _("webhook secrets")

    def __str__(self) -> str:
        return f"…{self.ending}"


class WebhookDelivery(models.Model):
    """One event for one endpoint, and every attempt to deliver it.

    Its id is worked out from the event's and the endpoint's: an event read twice is one delivery, with the
    same `webhook-id` for ever. The database's key is (id, parcel_id): see alliance/database/online_keys.py.
    """

    id = models.BigIntegerField(primary_key=True)
    # 0 or less: about no parcel.
    parcel_id = models.BigIntegerField(_("parcel id"))
    # Endpoints and organisations are on another node of a cluster.
    endpoint_id = models.BigIntegerField(_("webhook"))
    organisation_id = models.BigIntegerField(_("organisation"))
    topic = models.CharField(_("event"), max_length=40)
    at = models.DateTimeField(_("at"))
    # Greater than that of the parcel's event before, at the same endpoint.
    sequence = models.BigIntegerField(_("sequence"))
    # The event's, from which the body is built: see parcels/webhooks/payloads.py.
    payload = models.JSONField(_("content"), default=dict)
    state = models.CharField(
        _("state"), max_length=9, choices=DeliveryState, db_default=DeliveryState.PENDING
    )
    # NULL if another one of the parcel has to be delivered first, or if it is done.
    due_at = models.DateTimeField(_("next attempt"), null=True)
    # All attempts, and those since it was last begun anew.
    attempts = models.PositiveIntegerField(_("attempts"), db_default=0)
    tries = models.PositiveSmallIntegerField(db_default=0)
    attempted_at = models.DateTimeField(_("last attempt"), null=True)
    # The last ones: {"number": 1, "at": ..., "status": 200, "error": "", "ms": 12, "answer": "ok"}.
    log = models.JSONField(_("log"), db_default=models.Value([], models.JSONField()))

    objects = models.Manager.from_queryset(DeliveryQuerySet)()

    class Meta:
        verbose_name = _("webhook delivery")
        verbose_name_plural = _("webhook deliveries")
        ordering: ClassVar[list[str]] = ["-at", "-id"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(
                name="webhook_delivery_state_known", condition=Q(state__in=DeliveryState.values)
            ),
            models.CheckConstraint(
                name="webhook_delivery_due_is_pending",
                condition=Q(due_at__isnull=True) | Q(state=DeliveryState.PENDING),
            ),
        ]
        indexes: ClassVar[list[models.Index]] = [
            # What is to be sent to an endpoint now.
            models.Index(
                fields=["endpoint_id", "due_at"],
                name="webhook_delivery_due",
                condition=Q(due_at__isnull=False),
            ),
            # The order of a parcel's events at an endpoint.
            models.Index(fields=["parcel_id", "endpoint_id", "sequence"], name="webhook_delivery_order"),
            # An endpoint's list, newest first.
            models.Index(fields=["endpoint_id", "-at", "-id"], name="webhook_delivery_list"),
            # The oldest that waits, and those given up.
            models.Index(
                fields=["endpoint_id", "state", "at"],
                name="webhook_delivery_open",
                condition=~Q(state=DeliveryState.DELIVERED),
            ),
            # Old ones are deleted: written in the order of time, so a small index finds them.
            BrinIndex(fields=["at"], name="webhook_delivery_by_time", pages_per_range=32),
        ]

    def __str__(self) -> str:
        return self.message_id

    @property
    def message_id(self) -> str:
        return message_id(self.parcel_id, self.id)

    @property
    def is_waiting(self) -> bool:
        """Whether an earlier event of its parcel has to be delivered first."""
        return self.state == DeliveryState.PENDING and self.due_at is None


class WebhookHour(models.Model):
    """What became of the attempts at an endpoint within one hour."""

    organisation_id = models.BigIntegerField()
    endpoint = models.ForeignKey(WebhookEndpoint, models.CASCADE, db_index=False, related_name="hours")
    hour = models.DateTimeField()
    attempts = models.PositiveIntegerField(default=0)
    delivered = models.PositiveIntegerField(default=0)
    # Attempts by duration: see parcels.webhooks.rules.BOUNDS.
    bins = ArrayField(models.PositiveIntegerField())

    objects = models.Manager.from_queryset(TenantQuerySet)()

    class Meta:
        verbose_name = _("webhook figures")
        verbose_name_plural = _("webhook figures")
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["endpoint", "hour"], name="webhook_hour_once"),
        ]

    def __str__(self) -> str:
        return f"{self.hour:%Y-%m-%d %H}"


class WebhookReplay(FileJob):
    """A range of an endpoint's events that is sent again: prepared in slices, delivered like all others."""

    organisation = models.ForeignKey(Organisation, models.PROTECT, db_index=False, related_name="+")
    endpoint = models.ForeignKey(WebhookEndpoint, models.CASCADE, related_name="+")
    requested_by = models.ForeignKey(
        User, models.SET_NULL, null=True, related_name="+", verbose_name=_("requested by")
    )
    requested_at = models.DateTimeField(_("requested at"), default=timezone.now)
    kind = models.CharField(_("what"), max_length=8, choices=ReplayKind)
    # Events of this time, the end excluded.
    starts_at = models.DateTimeField(_("from"))
    ends_at = models.DateTimeField(_("until"))
    state = models.CharField(_("state"), max_length=8, choices=ReplayState, default=ReplayState.QUEUED)
    # Up to where it is prepared.
    position = models.DateTimeField(_("prepared until"))
    done = models.PositiveBigIntegerField(_("deliveries"), default=0)

    objects = models.Manager.from_queryset(TenantQuerySet)()

    class Meta:
        verbose_name = _("replay of webhooks")
        verbose_name_plural = _("replays of webhooks")
        ordering: ClassVar[list[str]] = ["-id"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(
                name="webhook_replay_state_known", condition=Q(state__in=ReplayState.values)
            ),
            models.CheckConstraint(name="webhook_replay_kind_known", condition=Q(kind__in=ReplayKind.values)),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(
                fields=["due_at"],
                name="webhook_replay_due",
                condition=Q(state__in=[ReplayState.QUEUED, ReplayState.RUNNING]),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.pk}"

    @property
    def place(self) -> object:
        return self.position

    @property
    def percent(self) -> int:
        span = max((self.ends_at - self.starts_at).total_seconds(), 1)
        return min(round((self.position - self.starts_at).total_seconds() * 100 / span), 100)
