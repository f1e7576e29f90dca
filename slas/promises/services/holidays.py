"""Load public holidays as closures."""

from dataclasses import dataclass
from datetime import date, datetime

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from alliance import audit
from alliance.choices import Capability
from alliance.errors import FieldError, InvalidInput
from alliance.tenancy import Actor, require
from slas.choices import ClosureSide
from slas.promises.holidays import COUNTRY, FIRST_YEAR, Holiday, holidays_between, last_published_year
from slas.promises.models import Closure

# From the first year in the packages to the last that tracking numbers reach.
FIRST_KNOWN_YEAR, LAST_YEAR = 2004, 2085


@dataclass(frozen=True, slots=True)
class HolidaysLoaded:
    added: int
    removed: int
    kept: int
    last_published_year: int


@transaction.atomic
def load_holidays(
    *, actor: Actor, first_year: int = FIRST_YEAR, last_year: int | None = None, now: datetime | None = None
) -> HolidaysLoaded:
    """Make the stored public holidays of those years match the packages.

    Safe to run again. Days that a newer schedule no longer contains are withdrawn; closures entered by ops
    are not public holidays and stay. Raises NotPermitted for everyone but ops, InvalidInput for impossible
    years.
    """
    require(actor, Capability.OPERATE)
    at = now or timezone.now()
    last = last_year or max(last_published_year() + 1, first_year)
    _check_years(first_year, last)
    holidays = {item.date: item for item in holidays_between(first_year, last)}
    stored = _stored(first_year, last)
    stored_days = set(stored.values_list("date", flat=True))
    removed = stored.exclude(date__in=holidays).update(withdrawn_at=at)
    _rename(stored, holidays)
    loaded_years = {day.year for day in stored_days}
    added = [_closure(item, at, loaded_years) for day, item in holidays.items() if day not in stored_days]
    Closure.objects.bulk_create(added)
    result = HolidaysLoaded(len(added), removed, len(stored_days) - removed, last_published_year())
    audit.record(
        actor=actor,
        verb="holidays.loaded",
        object_type="closure",
        object_id=first_year,
        detail={"first": first_year, "last": last, "added": result.added, "removed": result.removed},
    )
    return result


def _check_years(first: int, last: int) -> None:
    if not FIRST_KNOWN_YEAR <= first <= LAST_YEAR:
        message = _("Years must be from %(first)d to %(last)d.") % {
            "first": FIRST_KNOWN_YEAR,
            "last": LAST_YEAR,
        }
        raise InvalidInput(errors=[FieldError("/first_year", message, "range")])
    if not first <= last <= LAST_YEAR:
        message = _("The last year must not be before the first, nor after %d.") % LAST_YEAR
        raise InvalidInput(errors=[FieldError("/last_year", message, "range")])


def _stored(first: int, last: int) -> QuerySet[Closure]:
    return Closure.objects.filter(
        country=COUNTRY,
        province="",
        city=None,
        is_public_holiday=True,
        withdrawn_at=None,
        date__range=(date(first, 1, 1), date(last, 12, 31)),
    )


def _rename(closures: QuerySet[Closure], holidays: dict[date, Holiday]) -> None:
    """A renamed day off stays the same closure: no promise changes by it."""
    renamed = [row for row in closures if row.name != holidays[row.date].name]
    for row in renamed:
        row.name = holidays[row.date].name
    Closure.objects.bulk_update(renamed, ["name"])


def _closure(item: Holiday, at: datetime, loaded_years: set[int]) -> Closure:
    # In a year loaded for the first time, days were known since the schedule came out. Days that a later
    # schedule adds were not known to promises made in the meantime, so they are announced now.
    announced_at = max(item.announced_at, at) if item.date.year in loaded_years else item.announced_at
    return Closure(
        date=item.date,
        side=ClosureSide.BOTH,
        country=COUNTRY,
        name=item.name,
        is_public_holiday=True,
        announced_at=announced_at,
    )
