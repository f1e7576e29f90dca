"""Later delivery days agreed on."""

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from alliance.identifiers import tracking_number
from alliance.models import Organisation, User
from couriers.models import Courier
from slas.choices import CommitmentKind, RevisionParty
from slas.columns import dimension
from slas.commitments.querysets import JudgedQuerySet


class Revision(models.Model):
    """A later delivery day agreed on: kept beside the original promise, which is never overwritten."""

    # The database's key is (id, parcel_id): see alliance/database/online_keys.py.
    parcel_id = models.BigIntegerField(_("parcel"))
    kind = models.CharField(_("milestone"), max_length=10, choices=CommitmentKind)
    merchant = dimension(Organisation, _("merchant"))
    courier = dimension(Courier, _("courier"))
    requested_by = models.CharField(_("requested by"), max_length=10, choices=RevisionParty)
    previous_due_at = models.DateTimeField(_("before"))
    due_at = models.DateTimeField(_("revised to"))
    # Whether on-time is judged by the new day: not when the due time had passed or an attempt was made.
    judged = models.BooleanField(_("counts for on-time"))
    reason = models.CharField(_("reason"), max_length=300, blank=True)
    # Who recorded it: a member of the merchant, ops, or NULL for the recipient.
    agreed_by = models.ForeignKey(
        User,
        models.PROTECT,
        null=True,
        blank=True,
        # Users are on another node of a cluster.
        db_constraint=False,
        related_name="+",
        verbose_name=_("agreed by"),
    )
    label = models.CharField(_("by"), max_length=160)
    created_at = models.DateTimeField(_("recorded at"), default=timezone.now)

    objects = models.Manager.from_queryset(JudgedQuerySet)()

    class Meta:
        verbose_name = _("revision")
        verbose_name_plural = _("revisions")
        ordering: ClassVar[list[str]] = ["created_at", "pk"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(
                name="revision_is_later", condition=Q(due_at__gt=models.F("previous_due_at"))
            ),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["parcel_id", "kind"], name="revision_by_parcel"),
        ]

    def __str__(self) -> str:
        return f"{tracking_number(self.parcel_id)} {self.get_kind_display()}"
