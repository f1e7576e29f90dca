"""Declare closures of a place, and withdraw them."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta

from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from alliance import audit
from alliance.choices import Capability
from alliance.clocks import ONE_DAY
from alliance.errors import FieldError, InvalidInput, NotFound
from alliance.models import City
from alliance.provinces import find_province, similar_provinces
from alliance.tenancy import Actor, require
from alliance.wording import listed
from slas.choices import ClosureSide
from slas.promises.closures import MIDNIGHT
from slas.promises.models import Closure
from slas.promises.texts import day_text

# More days at once, or days further off, are more likely typing errors than plans.
MOST_DAYS = 31
MOST_AHEAD = timedelta(days=3 * 366)
MOST_BACK = timedelta(days=366)
# Allows for the time it takes to fill in a form.
_GRACE = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Declaration:
    """What is closed, and when: consecutive local days, or the same hours of each of them.

    The place is a city, a province of a country (by either name), or a whole country. Hours as in
    ClosureRule; those that end before they start go on into the next day. Without `last` it is one day,
    without `announced_at` it is announced now.
    """

    name: str
    first: date
    last: date | None = None
    starts: time | None = None
    ends: time | None = None
    side: ClosureSide | str = ClosureSide.BOTH
    country: str = ""
    province: str = ""
    city: City | None = None
    announced_at: datetime | None = None

    @property
    def days(self) -> list[date]:
        span = ((self.last or self.first) - self.first).days
        return [self.first + ahead * ONE_DAY for ahead in range(span + 1)]


def closures_between(
    *, first: date, last: date, now: datetime, city: City | None = None
) -> QuerySet[Closure]:
    """Return the announced closures between two days, soonest first; with a city, those that affect it."""
    closures = Closure.objects.filter(date__range=(first, last), withdrawn_at=None, announced_at__lte=now)
    if city is not None:
        province = Q(city=None, country=city.country) & Q(province__in=("", city.province_en))
        closures = closures.filter(Q(city=city) | province)
    return closures.select_related("city").order_by("date", "name", "pk")


def declare_closures(*, actor: Actor, declaration: Declaration, now: datetime | None = None) -> list[Closure]:
    """Declare a closure, one row per day: promises made after the announcement take it into account.

    A night is two rows, of the evening and of the next morning. Earlier promises stay as they are. Raises
    NotPermitted for everyone but ops, InvalidInput for impossible values or a closure declared already.
    """
    require(actor, Capability.OPERATE)
    at = now or timezone.now()
    if errors := list(_problems(declaration, at)):
        raise InvalidInput(errors=errors)
    parts = [_normalize(part) for part in _nights(declaration)]
    if duplicate_days := {day for part in parts for day in _duplicate_days(part)}:
        raise _duplicate(sorted(duplicate_days))
    try:
        with transaction.atomic():
            closures = Closure.objects.bulk_create([row for part in parts for row in _rows(part, at)])
    except IntegrityError:
        # The same closure was declared in the meantime.
        raise _duplicate(parts[0].days) from None
    _record(actor, "closure.declared", closures)
    return closures


def withdraw_closure(*, actor: Actor, closure_id: int, now: datetime | None = None) -> None:
    """Withdraw a closure: promises made from now on count the day again, earlier ones stay as they are.

    The row is kept to explain promises made in between. Raises NotPermitted for everyone but ops, NotFound if
    there is no such closure or it is withdrawn already.
    """
    require(actor, Capability.OPERATE)
    closures = Closure.objects.filter(pk=closure_id, withdrawn_at=None)
    if not closures.update(withdrawn_at=now or timezone.now()):
        raise NotFound
    _record(actor, "closure.withdrawn", [Closure.objects.get(pk=closure_id)])


def _rows(declaration: Declaration, now: datetime) -> list[Closure]:
    return [
        Closure(
            date=day,
            starts=declaration.starts,
            ends=declaration.ends,
            side=declaration.side,
            country=declaration.country,
            province=declaration.province,
            city=declaration.city,
            name=declaration.name,
            announced_at=declaration.announced_at or now,
        )
        for day in declaration.days
    ]


def _nights(declaration: Declaration) -> list[Declaration]:
    """Return a closure over midnight as that of the evenings and that of the mornings after."""
    starts, ends = declaration.starts, declaration.ends
    if not starts or ends is None or ends >= starts:
        return [declaration]
    evenings = replace(declaration, ends=None)
    if ends == MIDNIGHT:
        return [evenings]
    mornings = replace(
        declaration,
        first=declaration.first + ONE_DAY,
        last=(declaration.last or declaration.first) + ONE_DAY,
        starts=MIDNIGHT,
    )
    return [evenings, mornings]


def _normalize(declaration: Declaration) -> Declaration:
    """Return the declaration as it is stored: English names, and no hours for a whole day."""
    city, starts = declaration.city, declaration.starts
    if declaration.ends is not None:
        starts = starts or MIDNIGHT
    elif starts == MIDNIGHT:
        starts = None
    if city is not None:
        country, province = city.country, city.province_en
    else:
        country = declaration.country
        province = find_province(country, declaration.province) or ""
    return replace(
        declaration, name=declaration.name.strip(), starts=starts, country=country, province=province
    )


def _duplicate_days(declaration: Declaration) -> list[date]:
    """The days on which the place has a closure of the same name, or of the same hours and side."""
    is_same = Q(name__iexact=declaration.name) | Q(
        ends=declaration.ends, side=declaration.side, is_public_holiday=False
    )
    duplicates = Closure.objects.filter(
        is_same,
        date__in=declaration.days,
        country=declaration.country,
        province=declaration.province,
        city=declaration.city,
        starts=declaration.starts,
        withdrawn_at=None,
    )
    return sorted(set(duplicates.values_list("date", flat=True)))


def _duplicate(days: list[date]) -> InvalidInput:
    listed_days = listed(map(day_text, days[:5])) + (" …" if len(days) > 5 else "")
    message = _("This closure is already declared for %(days)s.") % {"days": listed_days}
    return InvalidInput(errors=[FieldError("/first", message, "duplicate")])


def _problems(declaration: Declaration, now: datetime) -> Iterator[FieldError]:
    if not declaration.name.strip():
        yield FieldError("/name", _("Enter the reason for the closure."), "required")
    if declaration.side not in ClosureSide.values:
        yield FieldError("/side", _("Choose origin, destination or both."), "choice")
    yield from _place_problems(declaration)
    yield from _time_problems(declaration, now)


def _place_problems(declaration: Declaration) -> Iterator[FieldError]:
    country, city = declaration.country, declaration.city
    if city is not None and country and city.country != country:
        message = _("%(city)s is not in that country.") % {"city": city.name}
        yield FieldError("/country", message, "other_country")
    elif city is None and not City.objects.filter(country=country).exists():
        yield FieldError("/country", _("That country has no such city."), "choice")
    elif declaration.province.strip():
        province = find_province(city.country if city else country, declaration.province)
        if province is None:
            yield FieldError("/province", _unknown_province(country, declaration.province), "choice")
        elif city is not None and city.province_en != province:
            message = _("%(city)s is in %(province)s.") % {"city": city.name, "province": city.province}
            yield FieldError("/province", message, "other_province")


def _time_problems(declaration: Declaration, now: datetime) -> Iterator[FieldError]:
    last = declaration.last or declaration.first
    if last < declaration.first:
        yield FieldError("/last", _("The last day is before the first."), "order")
    elif (last - declaration.first).days >= MOST_DAYS:
        yield FieldError("/last", _("Declare at most %(days)d days at once.") % {"days": MOST_DAYS}, "range")
    if last - now.date() > MOST_AHEAD:
        yield FieldError("/first", _("The day is more than three years ahead."), "range")
    if now.date() - declaration.first > MOST_BACK:
        yield FieldError("/first", _("The day is more than a year ago."), "range")
    if declaration.ends is not None and declaration.ends == (declaration.starts or MIDNIGHT):
        message = _("Start and end are the same. Leave both empty for the whole day.")
        yield FieldError("/ends", message, "order")
    if declaration.announced_at is not None and declaration.announced_at < now - _GRACE:
        message = _("Promises made since then did not take it into account: announce it now or later.")
        yield FieldError("/announced_at", message, "past")


def _unknown_province(country: str, text: str) -> str:
    if matches := similar_provinces(country, text):
        return _("Unknown province in that country. Did you mean: %(names)s?") % {"names": ", ".join(matches)}
    return _("Unknown province in that country.")


def _record(actor: Actor, verb: str, closures: list[Closure]) -> None:
    for closure in closures:
        detail = {
            "date": closure.date,
            "hours": f"{closure.starts or ''}-{closure.ends or ''}".strip("-"),
            "country": closure.country,
            "province": closure.province,
            "city": closure.city.code if closure.city else "",
        }
        audit.record(actor=actor, verb=verb, object_type="closure", object_id=closure.pk, detail=detail)
