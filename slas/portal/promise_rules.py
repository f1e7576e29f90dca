"""The page of the rules of each service and the coming closures."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from alliance.cities import UnknownCity, province_text, resolve_city
from alliance.dates import date_text
from alliance.models import City
from slas.models import Closure, ServiceTier, TierVersion
from slas.promises.closures import Hours
from slas.promises.holidays import COUNTRY, MAKE_UP_DAYS
from slas.promises.rule_texts import cut_off_times, delivered_by, delivered_on, price_bands
from slas.promises.services.closures import closures_between
from slas.promises.texts import closure_text, hours_text

AHEAD: Final = timedelta(days=90)


@dataclass(frozen=True, slots=True)
class VersionLine:
    """One version of a service's rules as text."""

    version: TierVersion
    cut_offs: str
    delivered_by: str
    delivered_on: str
    prices: list[str]
    is_in_force: bool
    is_announced: bool


@dataclass(frozen=True, slots=True)
class ClosureLine:
    """One day, or hours of it, on which a place is closed."""

    closure: Closure
    name: str
    hours: str
    place: str


@require_safe
@login_required
def promise_rules(request: HttpRequest) -> HttpResponse:
    """Show every version of each service on sale, and the closures of the next months."""
    now, today = timezone.now(), timezone.localdate()
    city_text, problem = request.GET.get("city", "").strip(), ""
    city: City | None = None
    try:
        city = resolve_city(city_text) if city_text else None
    except UnknownCity as unknown:
        problem = str(unknown)
    closures = closures_between(first=today, last=today + AHEAD, city=city, now=now)
    context = {
        "tiers": list(_tiers(now)),
        "closures": [] if problem else [_closure(closure) for closure in closures],
        "asked": city_text,
        "city": city,
        "problem": problem,
        "last": today + AHEAD,
        "make_up_days": _make_up_days(today, city),
    }
    return render(request, "slas/promise_rules.html", context, status=422 if problem else 200)


def _make_up_days(today: date, city: City | None) -> list[str]:
    """The weekend days ahead on which China works, unless a city elsewhere was asked for."""
    if city is not None and city.country != COUNTRY:
        return []
    return [date_text(day, "DAY_FORMAT") for day in sorted(MAKE_UP_DAYS) if today <= day <= today + AHEAD]


def _tiers(now: datetime) -> Iterator[tuple[ServiceTier, list[VersionLine]]]:
    for tier in ServiceTier.objects.filter(active=True).prefetch_related("versions"):
        versions = sorted(tier.versions.all(), key=lambda version: version.valid_from, reverse=True)
        in_force = next((version for version in versions if version.valid_from <= now), None)
        yield tier, [_line(version, in_force, now) for version in versions]


def _line(version: TierVersion, in_force: TierVersion | None, now: datetime) -> VersionLine:
    return VersionLine(
        version=version,
        cut_offs=cut_off_times(version),
        delivered_by=delivered_by(version),
        delivered_on=delivered_on(version),
        prices=price_bands(version),
        is_in_force=version == in_force,
        is_announced=version.valid_from > now,
    )


def _closure(closure: Closure) -> ClosureLine:
    starts = closure.starts
    return ClosureLine(
        closure=closure,
        name=closure_text(closure.name),
        hours=_("all day") if starts is None else hours_text(Hours(starts, closure.ends)),
        place=str(
            closure.city
            or province_text(closure.country, closure.province)
            or _("all of %(country)s") % {"country": closure.country}
        ),
    )
