"""Days, or hours of them, in which a place does not work: declaring them, and taking them back."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from difflib import get_close_matches

from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from alliance import audit
from alliance.choices import Capability
from alliance.clocks import ONE_DAY
from alliance.errors import FieldError, InvalidInput, NotFound
from alliance.models import City
from alliance.tenancy import Actor, require
from slas.choices import ClosureSide
from slas.promises.closures import MIDNIGHT
from slas.promises.models import Closure

# More days at once, or days further off, are likelier a typing error than a plan.
MOST_DAYS = 31
MOST_AHEAD = timedelta(days=3 * 366)
MOST_BACK = timedelta(days=366)
# A form takes a while to fill in.
_GRACE = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Declaration:
    """What is closed, and when: some local days in a row, or the same hours of each of them.

    A city, or a province (either name) of a country, or all of the country. Hours as in
    ClosureRule. Without `last` it is one day, without `announced_at` it is announced now.
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
    """Return what is announced and stands of some days, the soonest first; of a city what closes it."""
    standing = Closure.objects.filter(date__range=(first, last), withdrawn_at=None, announced_at__lte=now)
    if city is not None:
        province = Q(city=None, country=city.country) & Q(province__in=("", city.province_en))
        standing = standing.filter(Q(city=city) | province)
    return standing.select_related("city").order_by("date", "name", "pk")


def declare_closures(*, actor: Actor, declaration: Declaration, now: datetime | None = None) -> list[Closure]:
    """Close a place: promises made from the announcement on go round it, one closure a day.

    What was promised before stays promised. Raises NotPermitted for everybody but ops, InvalidInput
    for what cannot be or is declared already.
    """
    require(actor, Capability.OPERATE)
    at = now or timezone.now()
    if errors := list(_problems(declaration, at)):
        raise InvalidInput(errors=errors)
    wanted = _normal(declaration)
    if taken := _declared_already(wanted):
        raise _duplicate(taken)
    try:
        with transaction.atomic():
            closures = Closure.objects.bulk_create(_rows(wanted, at))
    except IntegrityError:
        # Somebody declared the same meanwhile.
        raise _duplicate(wanted.days) from None
    _record(actor, "closure.declared", closures)
    return closures


def withdraw_closure(*, actor: Actor, closure_id: int, now: datetime | None = None) -> None:
    """Take a closure back: promises made from now on count the day again, earlier ones stay as they are.

    The row is kept, so that what was promised meanwhile can be explained. Raises NotPermitted for
    everybody but ops, NotFound for one that does not stand.
    """
    require(actor, Capability.OPERATE)
    standing = Closure.objects.filter(pk=closure_id, withdrawn_at=None)
    if not standing.update(withdrawn_at=now or timezone.now()):
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


def _normal(declaration: Declaration) -> Declaration:
    """The same, in the one way it is stored: English names, and no hours for a whole day."""
    city, starts = declaration.city, declaration.starts
    if declaration.ends is not None:
        starts = starts or MIDNIGHT
    elif starts == MIDNIGHT:
        starts = None
    if city is not None:
        country, province = city.country, city.province_en
    else:
        country = declaration.country
        province = _province(country, declaration.province) or ""
    return replace(
        declaration, name=declaration.name.strip(), starts=starts, country=country, province=province
    )


def _declared_already(wanted: Declaration) -> list[date]:
    """The days on which the same place has a closure of that name, or of the same hours and side."""
    same = Q(name__iexact=wanted.name) | Q(ends=wanted.ends, side=wanted.side, is_public_holiday=False)
    found = Closure.objects.filter(
        same,
        date__in=wanted.days,
        country=wanted.country,
        province=wanted.province,
        city=wanted.city,
        starts=wanted.starts,
        withdrawn_at=None,
    )
    return sorted(set(found.values_list("date", flat=True)))


def _duplicate(days: list[date]) -> InvalidInput:
    shown = ", ".join(day.isoformat() for day in days[:5]) + (" …" if len(days) > 5 else "")
    message = _("This is declared already for %(days)s.") % {"days": shown}
    return InvalidInput(errors=[FieldError("/first", message, "duplicate")])


def _problems(wanted: Declaration, now: datetime) -> Iterator[FieldError]:
    if not wanted.name.strip():
        yield FieldError("/name", _("Say what the closure is."), "required")
    if wanted.side not in ClosureSide.values:
        yield FieldError("/side", _("Choose origin, destination or both."), "choice")
    yield from _place_problems(wanted)
    yield from _time_problems(wanted, now)


def _place_problems(wanted: Declaration) -> Iterator[FieldError]:
    country, city = wanted.country, wanted.city
    if city is not None and country and city.country != country:
        message = _("%(city)s does not lie in that country.") % {"city": city.name}
        yield FieldError("/country", message, "other_country")
    elif city is None and not City.objects.filter(country=country).exists():
        yield FieldError("/country", _("There is no city of that country."), "choice")
    elif wanted.province.strip():
        province = _province(city.country if city else country, wanted.province)
        if province is None:
            yield FieldError("/province", _unknown_province(country, wanted.province), "choice")
        elif city is not None and city.province_en != province:
            message = _("%(city)s lies in %(province)s.") % {"city": city.name, "province": city.province}
            yield FieldError("/province", message, "other_province")


def _time_problems(wanted: Declaration, now: datetime) -> Iterator[FieldError]:
    last = wanted.last or wanted.first
    if last < wanted.first:
        yield FieldError("/last", _("The last day lies before the first."), "order")
    elif (last - wanted.first).days >= MOST_DAYS:
        yield FieldError("/last", _("Declare at most %(days)d days at once.") % {"days": MOST_DAYS}, "range")
    if last - now.date() > MOST_AHEAD:
        yield FieldError("/first", _("The day lies more than three years ahead."), "range")
    if now.date() - wanted.first > MOST_BACK:
        yield FieldError("/first", _("The day lies more than a year back."), "range")
    if wanted.ends is not None and wanted.ends <= (wanted.starts or MIDNIGHT):
        message = _("It ends before it starts. Leave the end empty for midnight.")
        yield FieldError("/ends", message, "order")
    if wanted.announced_at is not None and wanted.announced_at < now - _GRACE:
        message = _("Promises made since then did not know of it: announce it now, or later.")
        yield FieldError("/announced_at", message, "past")


def _province(country: str, text: str) -> str | None:
    """The English name of the province that either name means, in any case; None for an unknown one."""
    key = text.strip()
    if not key:
        return None
    cities = City.objects.filter(country=country).exclude(province_en="")
    found = cities.filter(Q(province_en__iexact=key) | Q(province_zh=key))
    return found.values_list("province_en", flat=True).first()


def _unknown_province(country: str, text: str) -> str:
    names = City.objects.filter(country=country).exclude(province_en="")
    known = sorted(set(names.values_list("province_en", flat=True)))
    if close := get_close_matches(text.strip().title(), known, n=3):
        return _("There is no such province in that country. Did you mean: %(names)s?") % {
            "names": ", ".join(close)
        }
    return _("There is no such province in that country.")


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
