"""The proof that a person is a parcel's recipient."""

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from alliance.models import Organisation
from parcels.bookings.querysets import MerchantOwnedQuerySet
from slas.columns import dimension


class RecipientProof(models.Model):
    """Recent failed attempts to prove being a parcel's recipient, by address.

    In the database and not in the cache: emptying the cache must not give new guesses. Addresses are kept as
    keyed hashes, for a day.
    """

    parcel_id = models.BigIntegerField(primary_key=True)
    merchant = dimension(Organisation, _("merchant"))
    failed = models.PositiveSmallIntegerField(_("failed attempts"), default=0)
    # The time of the first failure; the counts are reset a day later.
    since = models.DateTimeField(_("since"), default=timezone.now)
    # Hash of an address -> its failures and the time of the last, in seconds.
    by_address = models.JSONField(default=dict)

    objects = models.Manager.from_queryset(MerchantOwnedQuerySet)()

    class Meta:
        verbose_name = _("recipient's proof")
        verbose_name_plural = _("recipients' proofs")

    def __str__(self) -> str:
        return f"{self.parcel_id}: {self.failed}"
