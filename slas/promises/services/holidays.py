"""Public holidays into the closures that promises count with."""

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

# What the packages know, and as long as tracking numbers last.
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
    """Make the country's public holidays of those years what the packages say.

    Runs again without doubling anything. Days that a schedule published since no longer names are
    taken back; closures that ops entered themselves are no public holidays and stay. Raises
    NotPermitted for everybody but ops, InvalidInput for years that cannot be.
    """
    require(actor, Capability.OPERATE)
    at = now or timezone.now()
    last = last_year or max(last_published_year() + 1, first_year)
    _check_years(first_year, last)
    wanted = {item.date: item for item in holidays_between(first_year, last)}
    standing = _standing(first_year, last)
    present = set(standing.values_list("date", flat=True))
    removed = standing.exclude(date__in=wanted).update(withdrawn_at=at)
    _rename(standing, wanted)
    loaded = {day.year for day in present}
    added = [_closure(item, at, loaded) for day, item in wanted.items() if day not in present]
    Closure.objects.bulk_create(added)
    done = HolidaysLoaded(len(added), removed, len(present) - removed, last_published_year())
    audit.record(
        actor=actor,
        verb="holidays.loaded",
        object_type="closure",
        object_id=first_year,
        detail={"first": first_year, "last": last, "added": done.added, "removed": done.removed},
    )
    return done


def _check_years(first: int, last: int) -> None:
    if not FIRST_KNOWN_YEAR <= first <= LAST_YEAR:
        message = _("Years run from %(first)d to %(last)d.") % {"first": FIRST_KNOWN_YEAR, "last": LAST_YEAR}
        raise InvalidInput(errors=[FieldError("/first_year", message, "range")])
    if not first <= last <= LAST_YEAR:
        message = _("The last year is the first or a later one, up to %d.") % LAST_YEAR
        raise InvalidInput(errors=[FieldError("/last_year", message, "range")])


def _standing(first: int, last: int) -> QuerySet[Closure]:
    return Closure.objects.filter(
        country=COUNTRY,
        province="",
        city=None,
        is_public_holiday=True,
        withdrawn_at=None,
        date__range=(date(first, 1, 1), date(last, 12, 31)),
    )


def _rename(standing: QuerySet[Closure], wanted: dict[date, Holiday]) -> None:
    """A day off may get another name: moved nobody's promise, so it is the same closure."""
    renamed = [row for row in standing if row.name != wanted[row.date].name]
    for row in renamed:
        row.name = wanted[row.date].name
    Closure.objects.bulk_update(renamed, ["name"])


def _closure(item: Holiday, at: datetime, loaded: set[int]) -> Closure:
    # A year loaded for the first time was known since its schedule came out. What a later schedule
    # adds to it was not known to the promises made meanwhile, and is announced now.
    announced = max(item.announced_at, at) if item.date.year in loaded else item.announced_at
    return Closure(
        date=item.date,
        side=ClosureSide.BOTH,
        country=COUNTRY,
        name=item.name,
        is_public_holiday=True,
        announced_at=announced,
    )
