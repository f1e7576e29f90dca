"""Mails before an API key ends: 14 and 3 days before, and on the day."""

from datetime import datetime, timedelta
from typing import Final

from django.db.models import Q
from django.urls import reverse
from django.utils import timezone

from alliance.mails import without_links, write_mails
from alliance.members.models import ApiKey
from alliance.members.queries import those_who_make_keys
from alliance.tenancy import Scope, scope

# Days before the end, in the order in which a key comes to them.
WARN_DAYS: Final = (14, 3, 0)
# A key that ended longer ago, as while mails were not sent, is known to have ended.
_LATEST: Final = timedelta(days=3)
_AT_ONCE: Final = 200


def warn_of_ends(*, now: datetime | None = None) -> int:
    """Write the mails that are due; return for how many keys. Each is written once, however often this runs.

    A key is marked in the transaction of its mails, by an UPDATE that a second run finds nothing to do for.
    """
    moment, count, after = now or timezone.now(), 0, 0
    while keys := _due(moment, after):
        for key in keys:
            count += _warn(key, moment)
        after = keys[-1].pk
    return count


def _due(now: datetime, after: int) -> list[ApiKey]:
    with scope(Scope.everything()):
        keys = ApiKey.objects.about_to_end(now + timedelta(days=WARN_DAYS[0]))
        recent = keys.filter(expires_at__gt=now - _LATEST, pk__gt=after).exclude(warned_days=0)
        return list(recent.select_related("organisation").order_by("pk")[:_AT_ONCE])


def days_to_warn(key: ApiKey, now: datetime) -> int | None:
    """Return the days of the mail that is due, None for none: of several, the last; none at its creation."""
    if key.expires_at is None:
        return None
    left, lifetime = key.expires_at - now, key.expires_at - key.created_at
    due = [days for days in WARN_DAYS if left <= timedelta(days=days) < lifetime]
    return min(due, default=None)


def _warn(key: ApiKey, now: datetime) -> bool:
    days = days_to_warn(key, now)
    if days is None:
        return False
    with scope(Scope.everything()):
        unwarned = Q(warned_days=None) | Q(warned_days__gt=days)
        live = ApiKey.objects.filter(unwarned, pk=key.pk, revoked_at=None, rotated_at=None)
        if not live.update(warned_days=days):
            return False
        context = {
            "key": without_links(key.name),
            "prefix": key.beginning,
            "organisation": without_links(key.organisation.name),
            "expires_at": timezone.localtime(key.expires_at),
            "has_ended": days == 0,
            "used_at": key.last_used_at and timezone.localtime(key.last_used_at),
        }
        write_mails(
            to=those_who_make_keys(key.organisation_id),
            template="alliance/mail/key_ends",
            context=context,
            path=reverse("api_key_list"),
        )
    return True
