"""Erase saved recipients that nobody needs any longer, or who asked for it."""

from datetime import datetime, timedelta
from typing import Final

from django.conf import settings

from alliance.database.slices import delete_in_slices
from parcels.recipients.models import SavedRecipient
from parcels.recipients.rules import digits_of

_LEAST_DIGITS: Final = 7


def forget_unused(*, now: datetime) -> int:
    """Delete recipients whom no merchant used for RECIPIENTS_KEPT_DAYS; return how many.

    May run twice, concurrently, or be killed.
    """
    unused = SavedRecipient.objects.filter(
        last_used_at__lt=now - timedelta(days=settings.RECIPIENTS_KEPT_DAYS)
    )
    return delete_in_slices(unused, order="last_used_at")


def forget_saved(*, merchant_id: int, phone: str) -> int:
    """Delete a merchant's saved recipients with one of a phone's numbers, however it is written there."""
    rows = SavedRecipient.objects.filter(merchant_id=merchant_id)
    count = 0
    for number in digits_of(phone).split():
        if len(number) >= _LEAST_DIGITS:
            count += rows.with_number(number).delete()[0]
    return count
