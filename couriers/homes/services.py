"""Give homes to couriers, have them follow traffic, and forget those whose parcels are gone."""

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from alliance import audit
from alliance.database.partitions import retired_before
from alliance.identifiers import moment_of
from alliance.locks import Lock, try_to_take
from alliance.tenancy import Actor, Scope, raw_rows, scope
from couriers.homes.models import CourierHome
from couriers.homes.queries import SECONDS, load_by_home
from couriers.homes.rules import spread, turn_of
from couriers.standing.models import Courier

# A change is noted so long ahead that every process knows of it when it comes: readers, too, must look into a
# new home before anybody books there.
NOTICE: Final = timedelta(seconds=2 * SECONDS)
# Whoever may not know of homes yet (the release before, an import under way) stops within this.
GRACE: Final = timedelta(days=1)

_ALL_UNTIL: Final = """
INSERT INTO couriers_courierhome AS h (courier_id, home, since, until, share_ppm)
SELECT id, NULL, %(now)s, %(until)s, 0 FROM unnest(%(courier_id)s::bigint[]) AS c (id) ORDER BY id
ON CONFLICT (courier_id, home) DO UPDATE SET until = greatest(h.until, excluded.until)
"""
# One that it had before is opened again: it keeps the row, and its parcels.
_BEGIN: Final = """
INSERT INTO couriers_courierhome AS h (courier_id, home, since, until, share_ppm)
SELECT %(courier_id)s, home, %(since)s, NULL, 0 FROM unnest(%(home)s::smallint[]) AS n (home) ORDER BY home
ON CONFLICT (courier_id, home) DO UPDATE SET since = excluded.since, until = NULL
"""


class Spread(NamedTuple):
    """How many couriers got other homes, and how many past homes were forgotten."""

    changed: int = 0
    forgotten: int = 0
    busy: bool = False


def give_first_home(*, courier_id: int, now: datetime) -> None:
    """Give a courier that has just joined the home with the least traffic. Call it in the scope of ops."""
    load = load_by_home()
    home = min(range(len(load)), key=lambda each: (load[each].share_ppm, load[each].couriers, turn_of(each)))
    raw_rows(_BEGIN, {"courier_id": courier_id, "home": [home], "since": now})


def note_imports(*, courier_ids: Collection[int], now: datetime) -> None:
    """Note that parcels of couriers come into all homes, as imported history does. May run twice."""
    known = CourierHome.objects.filter(courier_id__in=courier_ids).values_list("courier_id", flat=True)
    if ids := sorted({*known}):
        # Those without rows are looked for in all homes anyway.
        raw_rows(_ALL_UNTIL, {"courier_id": ids, "now": now, "until": now + GRACE})


def spread_homes(*, actor: Actor, parcels: Mapping[int, int], now: datetime) -> Spread:
    """Give couriers homes by their traffic, and forget past homes of which no month is left.

    `parcels` is what each courier carried in the last days. New parcels go by the new homes; all others stay
    where they are. May run twice, side by side, or be killed: a second run finds nothing to change.
    """
    with scope(Scope.everything()):
        if not try_to_take(Lock.SPREAD_HOMES):
            return Spread(busy=True)
        forgotten, _by_model = CourierHome.objects.ended_before(moment_of(retired_before())).delete()
        has: dict[int, set[int]] = {pk: set() for pk in Courier.objects.values_list("pk", flat=True)}
        for courier_id, home in CourierHome.objects.lasting().values_list("courier_id", "home"):
            has[courier_id].add(home)
        plan, parts = spread(parcels, has)
        changed = [courier_id for courier_id, homes in plan.items() if homes != has[courier_id]]
        known = {*CourierHome.objects.values_list("courier_id", flat=True)}
        unknown = [courier_id for courier_id in changed if courier_id not in known]
        raw_rows(_ALL_UNTIL, {"courier_id": unknown, "now": now, "until": now + GRACE})
        for courier_id in changed:
            _change(actor, courier_id, has[courier_id], plan[courier_id], parts[courier_id], now)
        _note_shares(parts)
    return Spread(len(changed), forgotten)


def _change(
    actor: Actor, courier_id: int, has: set[int], homes: set[int], part: float, now: datetime
) -> None:
    raw_rows(_BEGIN, {"courier_id": courier_id, "home": sorted(homes - has), "since": now + NOTICE})
    ended = CourierHome.objects.lasting().filter(courier_id=courier_id, home__in=has - homes)
    ended.update(until=now + NOTICE, share_ppm=0)
    audit.record(
        actor=actor,
        verb="courier.homes_changed",
        object_type="courier",
        object_id=courier_id,
        detail={"earlier": sorted(has), "homes": sorted(homes), "share": round(part * len(homes), 4)},
    )


def _note_shares(parts: Mapping[int, float]) -> None:
    raw_rows(
        """
        UPDATE couriers_courierhome h SET share_ppm = p.ppm
        FROM unnest(%s::bigint[], %s::int[]) AS p (courier_id, ppm)
        WHERE h.courier_id = p.courier_id AND h.until IS NULL AND h.share_ppm <> p.ppm
        """,
        [[*parts], [round(1_000_000 * part) for part in parts.values()]],
    )
