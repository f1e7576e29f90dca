"""The recipients that a merchant keeps in its address book."""

from typing import ClassVar

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from alliance.models import City
from parcels.bookings.models import Merchant
from parcels.recipients.querysets import SavedRecipientQuerySet


class SavedRecipient(models.Model):
    """One recipient in a merchant's address book. A parcel has a copy of it, and no link to it."""

    merchant = models.ForeignKey(
        Merchant, models.PROTECT, db_index=False, related_name="+", verbose_name=_("merchant")
    )
    name = models.CharField(_("name"), max_length=120)
    phone = models.CharField(_("phone"), max_length=40)
    # The digits of each number in `phone`, with blanks between: what a search by phone looks into.
    digits = models.CharField(max_length=60)
    city = models.ForeignKey(City, models.PROTECT, related_name="+", db_index=False, verbose_name=_("city"))
    address = models.CharField(_("address"), max_length=300)
    remark = models.CharField(_("remark"), max_length=200, blank=True)
    # SHA-256 of name, numbers, city and address, in hexadecimal: a recipient is saved once.
    digest = models.CharField(max_length=64)
    added_at = models.DateTimeField(_("added"), default=timezone.now)
    # When it was last saved or chosen for a booking: see `forget_unused`.
    last_used_at = models.DateTimeField(_("last used"), default=timezone.now)

    objects = models.Manager.from_queryset(SavedRecipientQuerySet)()

    class Meta:
        verbose_name = _("saved recipient")
        verbose_name_plural = _("saved recipients")
        ordering: ClassVar[list[str]] = ["-id"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["merchant", "digest"], name="saved_recipient_once"),
        ]
        indexes: ClassVar[list[models.Index]] = [
            # A merchant's address book, newest first; a search reads on along it.
            models.Index(fields=["merchant", "-id"], name="saved_recipient_by_merchant"),
            # Each night those that were not used for long.
            models.Index(fields=["last_used_at"], name="saved_recipient_by_use"),
        ]

    def __str__(self) -> str:
        # Not the name: a text of a row may end in a log.
        return str(self.pk)
