"""Questions in names and codes, resolved to queries by id."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Final

from django.db.models import Q
from django.utils.translation import gettext as _

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
# Values per filter. For more, use a wider filter or group the rows.
MOST_VALUES: Final = 100
# No promises exist before or after; later dates would overflow.
EARLIEST, LATEST = date(2000, 1, 1), date(2099, 12, 31)


@dataclass(frozen=True, slots=True)
class RateQuestion:
    """A question with names from outside: ids, codes, names of cities and provinces.

    `names` has the values of each filter in FILTERS that is used; several values mean "any of these".
    """

    first: date
    last: date
    kind: CommitmentKind | str = CommitmentKind.DELIVERY
    group_by: Sequence[str] = ()
    names: Mapping[str, Sequence[str]] = field(default_factory=dict)


def split_values(values: Sequence[str]) -> list[str]:
    """Read a list written as `a,b`, as two parameters, or both, without empty values and duplicates."""
    parts = (part.strip() for value in values for part in value.split(","))
    return list(dict.fromkeys(part for part in parts if part))


def rate_query(question: RateQuestion) -> RateQuery:
    """Resolve the names. Raises InvalidInput with an error for each filter that names something unknown."""
    errors: list[FieldError] = []
    group_by = _groups(question.group_by, errors)
    ids: dict[str, tuple[int, ...] | None] = {name: None for name in FILTERS}
    for name, values in question.names.items():
        if len(values) > MOST_VALUES:
            message = _("At most %(most)d values at once.") % {"most": MOST_VALUES}
            errors.append(FieldError(f"/{name}", message, "too_many"))
        elif values:
            try:
                ids[name] = _READERS[name](values)
            except _Unknown as unknown:
                errors.append(FieldError(f"/{name}", str(unknown), "unknown"))
    if errors:
        raise InvalidInput(errors=errors)
    return RateQuery(
        first=question.first,
        last=question.last,
        kind=question.kind,
        group_by=group_by,
        couriers=ids["courier"],
        merchants=ids["merchant"],
        tiers=ids["tier"],
        origins=_both(ids["origin"], ids["origin_province"]),
        destinations=_both(ids["destination"], ids["destination_province"]),
        weekdays=ids["weekday"],
    )


class _Unknown(Exception):
    """A filter names something unknown; the text is for people."""


def _groups(names: Sequence[str], errors: list[FieldError]) -> tuple[GroupBy, ...]:
    valid = [name for name in names if name in set(GroupBy)]
    for name in names:
        if name not in valid:
            message = _("Cannot group by “%(name)s”. Choose from: %(known)s.")
            choices = ", ".join(item.value for item in GroupBy)
            errors.append(FieldError("/group_by", message % {"name": name, "known": choices}, "choice"))
    return tuple(GroupBy(name) for name in valid)


def _couriers(ids: Sequence[str]) -> tuple[int, ...]:
    # In the actor's scope: a courier finds itself, merchants and ops find every courier.
    return _organisations(ids, Organisation.objects.couriers_by_id(*ids), _("Unknown courier “%(name)s”."))


def _merchants(ids: Sequence[str]) -> tuple[int, ...]:
    # A courier finds every merchant by its id, but in its cells only those it carried for.
    return _organisations(ids, Organisation.objects.merchants_by_id(*ids), _("Unknown merchant “%(name)s”."))


def _organisations(ids: Sequence[str], found: Iterable[Organisation], message: str) -> tuple[int, ...]:
    return _ids_of(ids, {organisation.public_id: organisation.pk for organisation in found}, message)


def _tiers(codes: Sequence[str]) -> tuple[int, ...]:
    message = _("Unknown service “%(name)s”.")
    ids_by_code = dict(ServiceTier.objects.filter(code__in=_clean(codes, message)).values_list("code", "pk"))
    return _ids_of(codes, ids_by_code, message)


def _cities(names: Sequence[str]) -> tuple[int, ...]:
    """Cities by code or by name. All codes are looked up at once."""
    cities = CityFinder(City.objects.filter(code__in=_clean(names, _("Unknown city “%(name)s”."))))
    try:
        return tuple(cities.find(name).pk for name in names)
    except UnknownCity as unknown:
        raise _Unknown(str(unknown)) from None


def _provinces(names: Sequence[str]) -> tuple[int, ...]:
    """The cities of provinces, named in either language or as country and province: CN-Zhejiang."""
    message = _("Unknown province “%(name)s”.")
    cities: list[int] = []
    for name in _clean(names, message):
        country, _dash, province = name.partition("-")
        matches = Q(province_en__iexact=name)
        if len(name) > 1:
            # 浙江 is 浙江省, 广西 is 广西壮族自治区.
            matches |= Q(province_zh__startswith=name)
        matches |= Q(country=country.upper(), province_en__iexact=province)
        province_cities = (
            City.objects.filter(matches).exclude(province_en="").order_by().values_list("pk", flat=True)
        )
        if not province_cities:
            raise _Unknown(message % {"name": name})
        cities += province_cities
    return tuple(cities)


def _weekdays(numbers: Sequence[str]) -> tuple[int, ...]:
    message = _("Weekdays are numbers from 1, Monday, to 7, Sunday.")
    if not all(number in set("1234567") for number in numbers):
        raise _Unknown(message)
    return tuple(int(number) for number in numbers)


def _clean(names: Sequence[str], message: str) -> Sequence[str]:
    """Refuse NUL characters, which PostgreSQL cannot store."""
    for name in names:
        if "\0" in name:
            raise _Unknown(message % {"name": name.replace("\0", "")})
    return names


def _ids_of(names: Sequence[str], ids: Mapping[str, int], message: str) -> tuple[int, ...]:
    for name in names:
        if name not in ids:
            raise _Unknown(message % {"name": name})
    return tuple(ids[name] for name in names)


def _both(cities: tuple[int, ...] | None, of_provinces: tuple[int, ...] | None) -> tuple[int, ...] | None:
    """The cities that match both filters, by name and by province."""
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
