"""Public holidays into the closures that promises count with."""

from dataclasses import dataclass
from datetime import date

from django.db import transaction

from slas.choices import ClosureSide
from slas.holidays import COUNTRY, FIRST_YEAR, holidays_between, last_published_year
from slas.models import Closure


@dataclass(frozen=True, slots=True)
class HolidaysLoaded:
    added: int
    removed: int
    kept: int
    last_published_year: int


@transaction.atomic
def load_holidays(*, first_year: int = FIRST_YEAR, last_year: int | None = None) -> HolidaysLoaded:
    """Make the country's public holidays of those years what the packages say.

    Runs again without doubling anything. Days that a schedule published since no longer names are
    removed; closures that ops entered themselves are no public holidays and stay.
    """
    last = max(last_year or last_published_year() + 1, first_year)
    wanted = {(item.date, item.name): item for item in holidays_between(first_year, last)}
    standing = Closure.objects.filter(
        country=COUNTRY,
        province="",
        city=None,
        is_public_holiday=True,
        date__range=(date(first_year, 1, 1), date(last, 12, 31)),
    )
    present = {(row.date, row.name): row.pk for row in standing}
    removed = [pk for key, pk in present.items() if key not in wanted]
    Closure.objects.filter(pk__in=removed).delete()
    added = [
        Closure(
            date=item.date,
            side=ClosureSide.BOTH,
            country=COUNTRY,
            name=item.name,
            is_public_holiday=True,
            announced_at=item.announced_at,
        )
        for key, item in wanted.items()
        if key not in present
    ]
    Closure.objects.bulk_create(added, ignore_conflicts=True)
    return HolidaysLoaded(len(added), len(removed), len(present) - len(removed), last_published_year())
