"""What merchants allow recipients to send back, and what recipients ask for."""

from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from alliance.identifiers import tracking_number
from alliance.models import Organisation, User
from parcels.bookings.models import Merchant
from parcels.bookings.querysets import MerchantOwnedQuerySet
from parcels.choices import ReturnReason, ReturnState
from parcels.returns.rules import DEFAULT_WINDOW_DAYS, LONGEST_WINDOW_DAYS, NOTE_LENGTH, Policy
from slas.columns import dimension


def all_reasons() -> list[str]:
    return list(ReturnReason.values)


class ReturnPolicy(models.Model):
    """Whether a merchant's recipients may ask for a return on the tracking page, how long and why."""

    merchant = models.OneToOneField(
        Merchant, models.PROTECT, primary_key=True, related_name="+", verbose_name=_("merchant")
    )
    is_allowed = models.BooleanField(_("recipients may ask"), default=False)
    window_days = models.PositiveSmallIntegerField(_("days after delivery"), default=DEFAULT_WINDOW_DAYS)
    reasons = ArrayField(
        models.CharField(max_length=20, choices=ReturnReason), default=all_reasons, verbose_name=_("reasons")
    )
    note = models.CharField(_("note to recipients"), max_length=NOTE_LENGTH, blank=True)
    changed_at = models.DateTimeField(_("changed"), default=timezone.now)

    objects = models.Manager.from_queryset(MerchantOwnedQuerySet)()

    class Meta:
        verbose_name = _("return policy")
        verbose_name_plural = _("return policies")
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(
                name="return_policy_window",
                condition=Q(window_days__gte=1, window_days__lte=LONGEST_WINDOW_DAYS),
            ),
            models.CheckConstraint(
                name="return_policy_reasons_known", condition=Q(reasons__contained_by=all_reasons())
            ),
        ]

    def __str__(self) -> str:
        return str(self.merchant_id)

    @property
    def terms(self) -> Policy:
        return Policy(self.is_allowed, self.window_days, tuple(self.reasons), self.note)


class ReturnRequest(models.Model):
    """A recipient's wish to send a parcel back, and what the merchant made of it. One a parcel."""

    parcel_id = models.BigIntegerField(_("parcel"), primary_key=True)
    merchant = dimension(Organisation, _("merchant"))
    state = models.CharField(_("state"), max_length=10, choices=ReturnState)
    reason = models.CharField(_("reason"), max_length=20, choices=ReturnReason)
    # The recipient's own words, and the merchant's: erased with the recipient.
    note = models.CharField(_("note"), max_length=NOTE_LENGTH, blank=True)
    answer = models.CharField(_("answer"), max_length=NOTE_LENGTH, blank=True)
    requested_at = models.DateTimeField(_("requested"), default=timezone.now)
    decided_at = models.DateTimeField(_("decided"), null=True, blank=True)
    decided_by = models.ForeignKey(
        User,
        models.PROTECT,
        null=True,
        blank=True,
        # Users are on another node of a cluster.
        db_constraint=False,
        db_index=False,
        related_name="+",
        verbose_name=_("decided by"),
    )

    objects = models.Manager.from_queryset(MerchantOwnedQuerySet)()

    class Meta:
        verbose_name = _("return request")
        verbose_name_plural = _("return requests")
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(
                name="return_request_state_known", condition=Q(state__in=ReturnState.values)
            ),
        ]
        indexes: ClassVar[list[models.Index]] = [
            # A merchant's list, the newest first, of one state or of all.
            models.Index(fields=["merchant", "-requested_at", "-parcel_id"], name="return_request_list"),
            models.Index(
                fields=["merchant", "state", "-requested_at", "-parcel_id"], name="return_request_by_state"
            ),
            # Texts to erase.
            models.Index(fields=["parcel_id"], name="return_request_texts", condition=~Q(note="", answer="")),
        ]

    def __str__(self) -> str:
        return self.number

    @property
    def number(self) -> str:
        return tracking_number(self.parcel_id)
