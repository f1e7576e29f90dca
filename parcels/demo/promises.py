"""Announcements of the demo: a future version of a tier, and a closure of a city."""

from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from alliance.models import City
from alliance.tenancy import Actor, Scope, scope
from slas.choices import TierCode
from slas.models import ServiceTier, TierVersion
from slas.promises.services.closures import Declaration, declare_closures
from slas.promises.services.versions import VersionRules, add_version

# Deadlines of 20:00 lie within these hours, and keep their two hours after them.
CLOSED = (time(18), time(21))
CLOSED_CITY = "CN-HGH"
DAYS_TO_CLOSURE = 4
DAYS_TO_VERSION = 10


def announce_what_comes(ops: Actor, *, now: datetime, zone: ZoneInfo) -> int:
    """Announce both as ops would; return how many versions the changed tier has."""
    today = now.astimezone(zone).date()
    with scope(Scope.everything()):
        declare_closures(
            actor=ops,
            declaration=Declaration(
                name="Lake fireworks 西湖烟花",
                first=today + timedelta(days=DAYS_TO_CLOSURE),
                starts=CLOSED[0],
                ends=CLOSED[1],
                city=City.objects.get(code=CLOSED_CITY),
            ),
            now=now,
        )
        return _faster_standard(ops, today, now, zone)


def _faster_standard(ops: Actor, today: date, now: datetime, zone: ZoneInfo) -> int:
    """Standard takes two days instead of three, with an hour less to book."""
    tier = ServiceTier.objects.get(code=TierCode.STANDARD)
    newest = TierVersion.objects.filter(tier=tier).latest("number")
    values = {name: getattr(newest, name) for name in VersionRules.__slots__}
    changes = {
        "valid_from": datetime.combine(today + timedelta(days=DAYS_TO_VERSION), time(0), zone),
        "cut_offs": {str(day): {"time": "17:00", "day_offset": 0} for day in range(7)},
        "days_in_transit": 2,
    }
    version = add_version(actor=ops, tier_id=tier.pk, rules=VersionRules(**{**values, **changes}), now=now)
    return version.number
