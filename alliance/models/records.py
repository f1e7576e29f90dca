"""Cities and the kernel's records: audit entries, events, stored responses, heartbeats, retired months."""

from typing import ClassVar

from django.db import models
from django.utils import timezone, translation
from django.utils.translation import gettext_lazy as _

from alliance.choices import RetirementState
from alliance.members.models import Organisation
from alliance.querysets import EventQuerySet
from alliance.tenancy import TenantQuerySet
from alliance.wording import code_text, named, object_text


class City(models.Model):
    """An origin or destination of parcels: the unit of lanes, cut-offs and closures."""

    id = models.AutoField(primary_key=True)
    code = models.CharField(_("code"), max_length=16, unique=True)
    name_en = models.CharField(_("English name"), max_length=120)
    name_zh = models.CharField(_("Chinese name"), max_length=120)
    province_en = models.CharField(_("province"), max_length=120, blank=True)
    province_zh = models.CharField(_("province (Chinese)"), max_length=120, blank=True)
    country = models.CharField(_("country"), max_length=2)
    time_zone = models.CharField(_("time zone"), max_length=64)
    latitude = models.FloatField(_("latitude"))
    longitude = models.FloatField(_("longitude"))
    population = models.IntegerField(_("population"), default=0)
    search_text = models.TextField(default="", blank=True)

    class Meta:
        verbose_name = _("city")
        verbose_name_plural = _("cities")
        ordering: ClassVar[list[str]] = ["-population"]

    def __str__(self) -> str:
        return self.name

    @property
    def name(self) -> str:
        """The name in the active language."""
        return self.name_zh if translation.get_language() == "zh-hans" else self.name_en

    @property
    def province(self) -> str:
        return self.province_zh if translation.get_language() == "zh-hans" else self.province_en


class AuditEntry(models.Model):
    """An important action of a user or program. Never edited."""

    at = models.DateTimeField(_("at"), default=timezone.now)
    organisation_id = models.BigIntegerField(_("organisation"), null=True)
    actor_kind = models.CharField(_("kind of actor"), max_length=10)
    actor_label = models.CharField(_("actor"), max_length=160)
    user_id = models.BigIntegerField(_("user id"), null=True)
    api_key_id = models.BigIntegerField(_("API key id"), null=True)
    verb = models.CharField(_("verb"), max_length=60)
    object_type = models.CharField(_("object"), max_length=40)
    object_id = models.CharField(_("object id"), max_length=40)
    detail = models.JSONField(_("detail"), default=dict)
    request_id = models.CharField(_("request id"), max_length=64, blank=True)

    objects = models.Manager.from_queryset(TenantQuerySet)()

    class Meta:
        verbose_name = _("audit entry")
        verbose_name_plural = _("audit entries")
        indexes: ClassVar[list[models.Index]] = [
            # The history of one object, newest first.
            models.Index(fields=["object_type", "object_id", "-at"], name="audit_by_object"),
            models.Index(fields=["organisation_id", "-at"], name="audit_by_organisation"),
            # What one person did, and who did one thing, newest first.
            models.Index(fields=["user_id", "-id"], name="audit_by_user"),
            models.Index(fields=["verb", "-id"], name="audit_by_verb"),
        ]

    def __str__(self) -> str:
        return named(code_text(self.verb), object_text(self.object_type, self.object_id))


class Event(models.Model):
    """An event, written in the transaction of its cause (outbox)."""

    topic = models.CharField(_("topic"), max_length=40)
    at = models.DateTimeField(_("at"), default=timezone.now)
    merchant_id = models.BigIntegerField(_("merchant id"), null=True)
    courier_id = models.BigIntegerField(_("courier id"), null=True)
    # 0 or less: about no parcel. The database's key is (id, parcel_id): see alliance/database/online_keys.py.
    parcel_id = models.BigIntegerField(_("parcel id"), db_default=0)
    payload = models.JSONField(_("content"), default=dict)

    objects = models.Manager.from_queryset(EventQuerySet)()

    class Meta:
        verbose_name = _("event")
        verbose_name_plural = _("events")
        indexes: ClassVar[list[models.Index]] = [
            # The refresh of the watch list reads what is new, retention what is old: ids that several nodes
            # draw are not in the order of time.
            models.Index(fields=["at"], name="event_by_time"),
        ]

    def __str__(self) -> str:
        return f"{code_text(self.topic)} {self.pk}"


class IdempotentRequest(models.Model):
    """The stored response of a request with an Idempotency-Key; kept for 24 hours."""

    organisation = models.ForeignKey(Organisation, models.CASCADE, related_name="+")
    route = models.CharField(max_length=120)
    key = models.CharField(max_length=255)
    body_hash = models.CharField(max_length=64)
    status = models.PositiveSmallIntegerField()
    answer = models.TextField()
    created_at = models.DateTimeField(default=timezone.now, db_index=True)

    objects = models.Manager.from_queryset(TenantQuerySet)()

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["organisation", "route", "key"], name="idempotency_key_once"),
        ]

    def __str__(self) -> str:
        return f"{self.route} {self.key}"


class OutgoingMail(models.Model):
    """A mail to send, written in the transaction of its cause. Deleted when it was sent."""

    to = models.EmailField(_("to"))
    subject = models.CharField(_("subject"), max_length=300)
    text = models.TextField(_("text"))
    created_at = models.DateTimeField(_("written"), default=timezone.now, db_index=True)
    # A task claims the mail before it sends it.
    claimed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = _("outgoing mail")
        verbose_name_plural = _("outgoing mails")

    def __str__(self) -> str:
        return f"{self.subject} ({self.to})"


class Heartbeat(models.Model):
    """When a periodic job last finished, for health checks."""

    name = models.CharField(_("name"), max_length=60, primary_key=True)
    at = models.DateTimeField(_("last run"))
    detail = models.JSONField(_("detail"), default=dict)

    class Meta:
        verbose_name = _("system check")
        verbose_name_plural = _("system checks")

    def __str__(self) -> str:
        return code_text(self.name)


class RetiredMonth(models.Model):
    """A month of parcels that was moved to files, or is being moved. Its rates stay in the database.

    Written before the first table loses the month, so that no recount misses it. Months are retired in order.
    """

    # The first day of the month; a parcel belongs to the month (UTC) in which its number was created.
    month = models.DateField(_("month"), primary_key=True)
    state = models.CharField(
        _("state"), max_length=10, choices=RetirementState, default=RetirementState.LEAVING
    )
    # The last due date of its commitments: cells up to that day can no longer be recounted.
    due_through = models.DateField(_("due until"), null=True)
    # Under ARCHIVE_ROOT.
    folder = models.CharField(_("folder"), max_length=40)
    # {"parcels_scan": {"rows": 1200, "bytes": 5321, "sha256": "…"}, …}: the files, verified by reading them.
    tables = models.JSONField(_("files"), default=dict)
    began_at = models.DateTimeField(_("started"), default=timezone.now)
    gone_at = models.DateTimeField(_("removed at"), null=True)
    label = models.CharField(_("by"), max_length=160)

    class Meta:
        verbose_name = _("retired month")
        verbose_name_plural = _("retired months")
        ordering: ClassVar[list[str]] = ["-month"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(name="retired_month_is_a_month", condition=models.Q(month__day=1)),
            models.CheckConstraint(
                name="retired_month_state_known", condition=models.Q(state__in=RetirementState.values)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.month:%Y-%m}"
