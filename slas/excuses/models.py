"""Excuses of breaches: declared events, claims and decisions."""

from typing import Any, ClassVar

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from alliance.identifiers import tracking_number
from alliance.models import City, Organisation, User
from couriers.documents.files import private_storage, random_file_name
from couriers.models import Courier
from slas.choices import CommitmentKind, DisruptionReason, ExcuseReason, ExcuseSource, ExcuseState
from slas.columns import dimension
from slas.excuses.querysets import ExcuseQuerySet
from slas.promises.models import Closure


def evidence_name(instance: "Excuse", filename: str) -> str:
    """Return the path a claim's file is stored at, by the type of its content."""
    return random_file_name("evidence", instance.content_type)


class Disruption(models.Model):
    """A declared force-majeure event: a place and a time whose breaches may be excused together."""

    name = models.CharField(_("name"), max_length=120)
    reason = models.CharField(_("reason"), max_length=32, choices=DisruptionReason)
    country = models.CharField(_("country"), max_length=2)
    province = models.CharField(_("province"), max_length=120, blank=True)
    city = models.ForeignKey(
        City, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("city")
    )
    starts_at = models.DateTimeField(pgettext_lazy("beginning", "from"))
    ends_at = models.DateTimeField(pgettext_lazy("end", "to"))
    # Promises that fell due this long after the end still count as affected.
    recovery_hours = models.PositiveSmallIntegerField(_("hours to recover"), default=24)
    declared_at = models.DateTimeField(_("declared"), default=timezone.now)
    declared_by = models.ForeignKey(
        User,
        models.PROTECT,
        null=True,
        # Users are on the coordinator of a cluster alone.
        db_constraint=False,
        related_name="+",
        verbose_name=_("declared by"),
    )

    class Meta:
        verbose_name = _("disruption")
        verbose_name_plural = _("disruptions")
        ordering: ClassVar[list[str]] = ["-starts_at"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(
                name="disruption_ends_after_start", condition=Q(ends_at__gt=models.F("starts_at"))
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Excuse(models.Model):
    """A claim that a breach was not the courier's fault, and the decision on it.

    Only a granted excuse removes the breach from the accountable rate. Both parties see all of it.
    """

    # The database's key is (id, parcel_id): see alliance/database/online_keys.py.
    parcel_id = models.BigIntegerField(_("parcel"))
    kind = models.CharField(_("milestone"), max_length=10, choices=CommitmentKind)
    merchant = dimension(Organisation, _("merchant"))
    courier = dimension(Courier, _("courier"))
    reason = models.CharField(_("reason"), max_length=32, choices=ExcuseReason)
    note = models.TextField(_("note"), blank=True)
    evidence = models.FileField(
        _("evidence"), storage=private_storage, upload_to=evidence_name, max_length=120, blank=True
    )
    evidence_name = models.CharField(_("file name"), max_length=160, blank=True)
    source = models.CharField(_("requested by"), max_length=12, choices=ExcuseSource)
    state = models.CharField(_("state"), max_length=10, choices=ExcuseState)
    # The event that proposed it, if any.
    disruption = models.ForeignKey(
        Disruption,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="excuses",
        verbose_name=_("disruption"),
    )
    closure = models.ForeignKey(
        Closure, models.PROTECT, null=True, blank=True, related_name="excuses", verbose_name=_("closure")
    )
    claimed_by = models.ForeignKey(
        User,
        models.PROTECT,
        null=True,
        blank=True,
        # Users may be on another node of a cluster than the parcel.
        db_constraint=False,
        related_name="+",
        verbose_name=pgettext_lazy("a person", "requested by"),
    )
    claimed_at = models.DateTimeField(_("requested"), default=timezone.now)
    decision_note = models.TextField(_("reason for the decision"), blank=True)
    decided_by = models.ForeignKey(
        User,
        models.PROTECT,
        null=True,
        blank=True,
        db_constraint=False,
        related_name="+",
        verbose_name=_("decided by"),
    )
    decided_at = models.DateTimeField(pgettext_lazy("on an excuse", "decided"), null=True, blank=True)

    objects = models.Manager.from_queryset(ExcuseQuerySet)()

    # The type of a file about to be stored; afterwards its name contains it.
    content_type = ""

    class Meta:
        verbose_name = _("exemption")
        verbose_name_plural = _("exemptions")
        permissions: ClassVar[list[tuple[str, Any]]] = [("decide_excuse", "Can decide on excuses")]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["parcel_id", "kind"],
                name="excuse_once_a_breach",
                condition=Q(state__in=[ExcuseState.CLAIMED, ExcuseState.GRANTED]),
            ),
            models.CheckConstraint(
                name="excuse_decided_when_decided",
                condition=Q(
                    state__in=[ExcuseState.CLAIMED, ExcuseState.WITHDRAWN, ExcuseState.LAPSED],
                    decided_at=None,
                )
                | Q(
                    state__in=[ExcuseState.GRANTED, ExcuseState.DECLINED, ExcuseState.REVOKED],
                    decided_at__isnull=False,
                ),
            ),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["parcel_id", "kind"], name="excuse_by_parcel"),
            models.Index(fields=["courier", "-claimed_at"], name="excuse_by_courier"),
            models.Index(fields=["merchant", "-claimed_at"], name="excuse_by_merchant"),
            # Reads claims waiting for a decision, the oldest first.
            models.Index(
                fields=["claimed_at"], name="excuse_waiting", condition=Q(state=ExcuseState.CLAIMED)
            ),
            # The count in a courier's menu.
            models.Index(
                fields=["courier"], name="excuse_waiting_courier", condition=Q(state=ExcuseState.CLAIMED)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.number} {self.get_kind_display()}: {self.get_reason_display()}"

    @property
    def number(self) -> str:
        return tracking_number(self.parcel_id)

    @property
    def key(self) -> str:
        """What a decision names it by: its parcel's id and its own."""
        return f"{self.parcel_id}-{self.pk}"
