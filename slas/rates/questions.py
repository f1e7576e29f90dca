"""Questions as people and programs ask them, by name, made into questions the cells can answer."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Final

from django.db.models import Q
from django.utils.translation import gettext as _

from alliance.choices import OrganisationKind
from alliance.cities import CityFinder, UnknownCity
from alliance.errors import FieldError, InvalidInput
from alliance.models import City, Organisation
from slas.choices import CommitmentKind
from slas.promises.models import ServiceTier
from slas.rates.rules import GroupBy, RateQuery

FILTERS: Final = (
    "courier", "merchant", "tier", "origin", "destination", "origin_province", "destination_province",
    "weekday",
)  # fmt: skip
# Of one filter. More is asked for with a wider filter, or by group.
MOST_VALUES: Final = 100
# Nothing was promised before or will be after; dates beyond cannot be counted from.
EARLIEST, LATEST = date(2000, 1, 1), date(2099, 12, 31)


@dataclass(frozen=True, slots=True)
class RateQuestion:
    """What is asked, in the words of the outside: short names, codes, names of cities and provinces.

    `names` has the values of each of FILTERS that is asked for; several are "any of these".
    """

    first: date
    last: date
    kind: CommitmentKind | str = CommitmentKind.DELIVERY
    group_by: Sequence[str] = ()
    names: Mapping[str, Sequence[str]] = field(default_factory=dict)


def listed(values: Sequence[str]) -> list[str]:
    """Read a list given as `a,b`, as two parameters, or both; what is empty is left out, as are repeats."""
    parts = (part.strip() for value in values for part in value.split(","))
    return list(dict.fromkeys(part for part in parts if part))


def rate_query(question: RateQuestion) -> RateQuery:
    """Look the names up. Raises InvalidInput with an error for each filter that names nothing we know."""
    errors: list[FieldError] = []
    group_by = _groups(question.group_by, errors)
    found: dict[str, tuple[int, ...] | None] = {name: None for name in FILTERS}
    for name, values in question.names.items():
        if len(values) > MOST_VALUES:
            message = _("Give at most %(most)d values at once.") % {"most": MOST_VALUES}
            errors.append(FieldError(f"/{name}", message, "too_many"))
        elif values:
            try:
                found[name] = _READERS[name](values)
            except _Unknown as unknown:
                errors.append(FieldError(f"/{name}", str(unknown), "unknown"))
    if errors:
        raise InvalidInput(errors=errors)
    return RateQuery(
        first=question.first,
        last=question.last,
        kind=question.kind,
        group_by=group_by,
        couriers=found["courier"],
        merchants=found["merchant"],
        tiers=found["tier"],
        origins=_both(found["origin"], found["origin_province"]),
        destinations=_both(found["destination"], found["destination_province"]),
        weekdays=found["weekday"],
    )


class _Unknown(Exception):
    """A filter names something that is not there; the text is for people."""


def _groups(names: Sequence[str], errors: list[FieldError]) -> tuple[GroupBy, ...]:
    known = [name for name in names if name in set(GroupBy)]
    for name in names:
        if name not in known:
            message = _("Rows cannot be by “%(name)s”. Choose from: %(known)s.")
            known_names = ", ".join(item.value for item in GroupBy)
            errors.append(FieldError("/group_by", message % {"name": name, "known": known_names}, "choice"))
    return tuple(GroupBy(name) for name in known)


def _couriers(slugs: Sequence[str]) -> tuple[int, ...]:
    # In the asker's scope: a courier finds itself, merchants and ops find every courier.
    return _organisations(slugs, OrganisationKind.COURIER, _("There is no courier “%(name)s”."))


def _merchants(slugs: Sequence[str]) -> tuple[int, ...]:
    # A courier finds every merchant by name, and in its cells only those it carried for.
    return _organisations(slugs, OrganisationKind.MERCHANT, _("There is no merchant “%(name)s”."))


def _organisations(slugs: Sequence[str], kind: str, message: str) -> tuple[int, ...]:
    found = dict(
        Organisation.objects.filter(slug__in=_clean(slugs, message), kind=kind).values_list("slug", "pk")
    )
    return _all_of(slugs, found, message)


def _tiers(codes: Sequence[str]) -> tuple[int, ...]:
    message = _("There is no service “%(name)s”.")
    known = dict(ServiceTier.objects.filter(code__in=_clean(codes, message)).values_list("code", "pk"))
    return _all_of(codes, known, message)


def _cities(names: Sequence[str]) -> tuple[int, ...]:
    """Cities by code or by name. A code is looked up with all the others at once."""
    cities = CityFinder(City.objects.filter(code__in=_clean(names, _("There is no city “%(name)s”."))))
    try:
        return tuple(cities.find(name).pk for name in names)
    except UnknownCity as unknown:
        raise _Unknown(str(unknown)) from None


def _provinces(names: Sequence[str]) -> tuple[int, ...]:
    """The cities of provinces named in either language, or as country and province: CN-Zhejiang."""
    message = _("There is no province “%(name)s”.")
    cities: list[int] = []
    for name in _clean(names, message):
        country, _dash, province = name.partition("-")
        asked = Q(province_en__iexact=name)
        if len(name) > 1:
            # 浙江 is 浙江省, 广西 is 广西壮族自治区.
            asked |= Q(province_zh__startswith=name)
        asked |= Q(country=country.upper(), province_en__iexact=province)
        found = City.objects.filter(asked).exclude(province_en="").order_by().values_list("pk", flat=True)
        if not found:
            raise _Unknown(message % {"name": name})
        cities += found
    return tuple(cities)


def _weekdays(numbers: Sequence[str]) -> tuple[int, ...]:
    message = _("Weekdays are numbers from 1, Monday, to 7, Sunday.")
    if not all(number in set("1234567") for number in numbers):
        raise _Unknown(message)
    return tuple(int(number) for number in numbers)


def _clean(names: Sequence[str], message: str) -> Sequence[str]:
    """PostgreSQL refuses a NUL; nothing is called so."""
    for name in names:
        if "\0" in name:
            raise _Unknown(message % {"name": name.replace("\0", "")})
    return names


def _all_of(names: Sequence[str], known: Mapping[str, int], message: str) -> tuple[int, ...]:
    for name in names:
        if name not in known:
            raise _Unknown(message % {"name": name})
    return tuple(known[name] for name in names)


def _both(cities: tuple[int, ...] | None, of_provinces: tuple[int, ...] | None) -> tuple[int, ...] | None:
    """Cities that are asked for by name and lie in the provinces asked for."""
    if cities is None or of_provinces is None:
        return cities if of_provinces is None else of_provinces
    return tuple(sorted(set(cities) & set(of_provinces)))


_READERS: dict[str, Callable[[Sequence[str]], tuple[int, ...]]] = {
    "courier": _couriers,
    "merchant": _merchants,
    "tier": _tiers,
    "origin": _cities,
    "destination": _cities,
    "origin_province": _provinces,
    "destination_province": _provinces,
    "weekday": _weekdays,
}
