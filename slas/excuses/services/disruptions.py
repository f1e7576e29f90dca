"""Declared events (force majeure and late closures), and the excuses they propose for affected breaches.

An open breach is affected by an event when all of this holds:

- it was promised before the event was declared (for a closure: announced);
- it fell due between the event's start and its end plus the hours to recover;
- it fell due in the area: a pickup at its origin, a delivery at its destination. A delivery is affected at
  its origin as well, if the parcel had not been picked up before the event began. A closure of one side
  affects that side only;
- no excuse of it is claimed or granted, and this event has proposed none for it before.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any, Final, NamedTuple

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from alliance import audit, events
from alliance.choices import Capability
from alliance.clocks import ONE_DAY, wall_clock
from alliance.database.literals import moments, numbers
from alliance.database.together import commit_together, over_one_connection
from alliance.errors import Conflict, FieldError, InvalidInput, NotFound
from alliance.identifiers import EPOCH, parcel_id_at, tracking_number
from alliance.models import City
from alliance.provinces import find_province
from alliance.tenancy import Actor, raw_rows, require
from slas.choices import ClosureSide, Decision, DisruptionReason, ExcuseSource, ExcuseState
from slas.excuses.models import Disruption, Excuse
from slas.excuses.services.decisions import decide_excuses
from slas.excuses.services.permissions import lock_commitments, read_text, require_decider, require_few
from slas.excuses.services.writing import write_excuses
from slas.promises.models import Closure

RECOVERY_HOURS: Final = 24
MOST_RECOVERY_HOURS: Final = 14 * 24
# A longer event is more likely a mistyped date.
LONGEST: Final = timedelta(days=62)
# No promises exist before or after these years.
YEARS: Final = range(2016, 2086)
# No promise is made further ahead, so months of older parcels need not be searched.
_PROMISED_AHEAD: Final = timedelta(days=180)


@dataclass(frozen=True, slots=True)
class Area:
    """A city; without a city a province, by either name; without either a country."""

    country: str = ""
    province: str = ""
    city: City | None = None


@dataclass(frozen=True, slots=True)
class Period:
    """The start and end of an event, and how long after it promises still count as affected."""

    starts_at: datetime
    ends_at: datetime
    recovery_hours: int = RECOVERY_HOURS


class AffectedBreach(NamedTuple):
    """An open breach affected by an event."""

    parcel_id: int
    kind: str
    merchant_id: int
    courier_id: int
    origin_id: int
    destination_id: int
    due_at: datetime
    reached_at: datetime | None

    @property
    def number(self) -> str:
        return tracking_number(self.parcel_id)


class ProposalResult(NamedTuple):
    """How many excuses an event proposed, and how many of them were granted at once."""

    proposed: int = 0
    granted: int = 0


@dataclass(frozen=True, slots=True)
class Cause:
    """A disruption or a closure, with the data needed to propose excuses."""

    name: str
    reason: DisruptionReason
    declared_at: datetime
    # Places and times: (city, from, to), hours to recover included.
    hits: tuple[tuple[int, datetime, datetime], ...]
    at_origin: bool = True
    at_destination: bool = True
    disruption_id: int | None = None
    closure_id: int | None = None

    @classmethod
    def of_disruption(cls, disruption: Disruption) -> "Cause":
        ends = disruption.ends_at + timedelta(hours=disruption.recovery_hours)
        cities = _cities(disruption.country, disruption.province, disruption.city_id)
        return cls(
            name=disruption.name,
            reason=DisruptionReason(disruption.reason),
            declared_at=disruption.declared_at,
            hits=tuple((city_id, disruption.starts_at, ends) for city_id, _zone in cities),
            disruption_id=disruption.pk,
        )

    @classmethod
    def of_closure(
        cls, closure: Closure, *, reason: DisruptionReason | str, recovery_hours: int = RECOVERY_HOURS
    ) -> "Cause":
        """Closed hours are in the local time of each city. A withdrawn closure affects nothing."""
        hits = []
        withdrawn = closure.withdrawn_at is not None
        cities = [] if withdrawn else _cities(closure.country, closure.province, closure.city_id)
        for city_id, zone in cities:
            starts = wall_clock(closure.date, closure.starts or time(0), zone)
            last, end = (closure.date, closure.ends) if closure.ends else (closure.date + ONE_DAY, time(0))
            hits.append((city_id, starts, wall_clock(last, end, zone) + timedelta(hours=recovery_hours)))
        return cls(
            name=closure.name,
            reason=DisruptionReason(reason),
            declared_at=closure.announced_at,
            hits=tuple(hits),
            at_origin=closure.side != ClosureSide.DESTINATION,
            at_destination=closure.side != ClosureSide.ORIGIN,
            closure_id=closure.pk,
        )


_TOUCHED = """
WITH hit AS (
    SELECT * FROM unnest(%(city_id)s::int[], %(starts)s::timestamptz[], %(ends)s::timestamptz[])
        AS h (city_id, starts, ends)
)
SELECT b.parcel_id, b.kind, b.merchant_id, b.courier_id, b.origin_id, b.destination_id, c.due_at, c.reached_at
FROM slas_breach b
JOIN slas_commitment c ON c.parcel_id = b.parcel_id AND c.kind = b.kind
LEFT JOIN slas_commitment k ON k.parcel_id = b.parcel_id AND k.kind = 'pickup'
    AND k.parcel_id >= {first} AND k.parcel_id < {before}
LEFT JOIN hit o ON %(at_origin)s AND o.city_id = b.origin_id
LEFT JOIN hit d ON %(at_destination)s AND d.city_id = b.destination_id
WHERE b.withdrawn_at IS NULL AND NOT c.excused AND c.outcome IN ('late', 'overdue')
    -- Of each, so that their other months are left out when planning.
    AND b.parcel_id >= {first} AND b.parcel_id < {before}
    AND c.parcel_id >= {first} AND c.parcel_id < {before}
    AND (CASE WHEN b.kind = 'pickup' THEN c.due_at BETWEEN o.starts AND o.ends
        ELSE c.due_at BETWEEN d.starts AND d.ends
            OR (c.due_at BETWEEN o.starts AND o.ends AND coalesce(k.reached_at, 'infinity') >= o.starts)
        END)
    AND NOT EXISTS (SELECT 1 FROM slas_excuse x WHERE x.parcel_id = b.parcel_id AND x.kind = b.kind
        AND (x.state IN ('claimed', 'granted') OR x.disruption_id = %(disruption_id)s
            OR x.closure_id = %(closure_id)s))
ORDER BY b.parcel_id, b.kind
"""


@transaction.atomic
def declare_disruption(
    *,
    actor: Actor,
    name: str,
    reason: DisruptionReason | str,
    area: Area,
    period: Period,
    declared_at: datetime | None = None,
) -> Disruption:
    """Declare a force-majeure event: a place and a time. It excuses nothing by itself.

    Raises NotPermitted for everyone but ops, InvalidInput for inconsistent values.
    """
    require(actor, Capability.OPERATE)
    if area.city is not None:
        country, province = area.city.country, area.city.province_en
    else:
        country, province = area.country, find_province(area.country, area.province) or ""
    errors = [*_problems(name, reason, country, period), *_province_problems(area, province)]
    if errors:
        raise InvalidInput(errors=errors)
    disruption = Disruption.objects.create(
        name=name.strip(),
        reason=reason,
        country=country,
        province=province,
        city=area.city,
        starts_at=period.starts_at,
        ends_at=period.ends_at,
        recovery_hours=period.recovery_hours,
        declared_at=declared_at or timezone.now(),
        declared_by_id=actor.user_id,
    )
    detail = {
        "name": disruption.name, "reason": reason, "country": country, "province": province,
        "city": area.city.code if area.city else "", "from": period.starts_at, "to": period.ends_at,
    }  # fmt: skip
    _record(actor, "disruption.declared", disruption.pk, detail)
    return disruption


@transaction.atomic
def withdraw_disruption(*, actor: Actor, disruption_id: int) -> None:
    """Withdraw an event that has proposed nothing. Raises NotFound, and Conflict if it has."""
    require(actor, Capability.OPERATE)
    over_one_connection()
    disruption = Disruption.objects.select_for_update().filter(pk=disruption_id).first()
    if disruption is None:
        raise NotFound
    if disruption.excuses.exists():
        raise Conflict(_("Exemptions were proposed for it: it stays on record."), code="in_use")
    disruption.delete()
    _record(actor, "disruption.withdrawn", disruption_id, {"name": disruption.name})


def breaches_affected_by(cause: Cause) -> list[AffectedBreach]:
    """The open breaches an event affected that have no excuse yet, oldest parcels first."""
    if not cause.hits:
        return []
    first = max(min(starts for _city, starts, _ends in cause.hits) - _PROMISED_AHEAD, EPOCH)
    # Literals, so that months are pruned when planning. Both are integers computed here.
    sql = _TOUCHED.format(first=parcel_id_at(first), before=parcel_id_at(max(cause.declared_at, EPOCH)))
    city_ids, starts, ends = zip(*cause.hits, strict=True)
    parameters: dict[str, Any] = {
        "city_id": numbers(city_ids), "starts": moments(starts), "ends": moments(ends),
        "at_origin": cause.at_origin, "at_destination": cause.at_destination,
        "disruption_id": cause.disruption_id, "closure_id": cause.closure_id,
    }  # fmt: skip
    return [AffectedBreach(*row) for row in raw_rows(sql, parameters)]


def counts_by(touched: Iterable[AffectedBreach], column: str) -> list[tuple[Any, int]]:
    """Counts by one column, the largest first."""
    return Counter(getattr(row, column) for row in touched).most_common()


@transaction.atomic
def propose_excuses(
    *, actor: Actor, cause: Cause, note: str = "", grant: bool = False, now: datetime | None = None
) -> ProposalResult:
    """Claim an excuse for every breach an event affected; with `grant` decide on them as well.

    A replay adds nothing: an event proposes one excuse per breach. Raises NotPermitted for everyone but ops,
    with `grant` for actors who may not decide, and InvalidInput for more than can be decided at once.
    """
    require(actor, Capability.OPERATE)
    if grant:
        require_decider(actor)
    note_text, moment = read_text(note), now or timezone.now()
    touched = breaches_affected_by(cause)
    require_few(touched)
    commitments = lock_commitments((row.parcel_id, row.kind) for row in touched)
    # A scan may have withdrawn some, or a courier claimed some, before they were locked.
    still_touched = {(row.parcel_id, row.kind) for row in breaches_affected_by(cause)}
    open_breaches = [
        row for row in touched if (row.parcel_id, row.kind) in still_touched & commitments.keys()
    ]
    excuses = _claims(actor, cause, open_breaches, note_text or cause.name, moment)
    write_excuses(excuses)
    events.record([_claim_event(excuse) for excuse in excuses], at=moment)
    verb = "closure.proposed" if cause.closure_id else "disruption.proposed"
    subject = cause.closure_id or cause.disruption_id or 0
    _record(actor, verb, subject, {"name": cause.name, "excuses": len(excuses), "granted": grant})
    commit_together()
    if not (grant and excuses):
        return ProposalResult(len(excuses))
    granted = decide_excuses(
        actor=actor,
        keys=[(excuse.parcel_id, excuse.pk) for excuse in excuses],
        decision=Decision.GRANT,
        note=note_text,
        now=moment,
    )
    return ProposalResult(len(excuses), granted.decided)


def _claims(
    actor: Actor, cause: Cause, touched: Sequence[AffectedBreach], note: str, now: datetime
) -> list[Excuse]:
    return [
        Excuse(
            parcel_id=row.parcel_id,
            kind=row.kind,
            merchant_id=row.merchant_id,
            courier_id=row.courier_id,
            reason=cause.reason.value,
            note=note,
            source=ExcuseSource.EVENT,
            state=ExcuseState.CLAIMED,
            disruption_id=cause.disruption_id,
            closure_id=cause.closure_id,
            claimed_by_id=actor.user_id,
            claimed_at=now,
        )
        for row in touched
    ]


def _claim_event(excuse: Excuse) -> events.NewEvent:
    return events.NewEvent(
        events.Topic.EXCUSE_CLAIMED,
        merchant_id=excuse.merchant_id,
        courier_id=excuse.courier_id,
        parcel_id=excuse.parcel_id,
        payload={"kind": excuse.kind, "reason": excuse.reason, "excuse": excuse.pk},
    )


def _cities(country: str, province: str, city_id: int | None) -> list[tuple[int, str]]:
    """The cities of an area with their zones."""
    cities = City.objects.filter(country=country)
    if city_id is not None:
        cities = cities.filter(pk=city_id)
    elif province:
        cities = cities.filter(province_en=province)
    return list(cities.values_list("pk", "time_zone"))


def _problems(name: str, reason: str, country: str, period: Period) -> Iterable[FieldError]:
    if not name.strip():
        yield FieldError("/name", _("Enter the name of the event."), "required")
    elif len(name.strip()) > 120:
        yield FieldError("/name", _("Enter at most %(most)d characters.") % {"most": 120}, "max_length")
    if reason not in DisruptionReason.values:
        yield FieldError("/reason", _("Choose a reason."), "choice")
    if not City.objects.filter(country=country).exists():
        yield FieldError("/country", _("That country has no such city."), "choice")
    if not all(moment.year in YEARS for moment in (period.starts_at, period.ends_at)):
        yield FieldError("/starts_at", _("The date is out of range."), "range")
    elif period.ends_at <= period.starts_at:
        yield FieldError("/ends_at", _("The end must be after the start."), "range")
    elif period.ends_at - period.starts_at > LONGEST:
        yield FieldError(
            "/ends_at", _("An event lasts at most %(days)d days.") % {"days": LONGEST.days}, "range"
        )
    if not 0 <= period.recovery_hours <= MOST_RECOVERY_HOURS:
        message = _("Hours to recover are from 0 to %(most)d.") % {"most": MOST_RECOVERY_HOURS}
        yield FieldError("/recovery_hours", message, "range")


def _province_problems(area: Area, province: str) -> Iterable[FieldError]:
    """The error for an unknown province, or for a city that lies in another: one of the two is wrong."""
    city = area.city
    if not area.province.strip():
        return
    if city is None and not province and City.objects.filter(country=area.country).exists():
        yield FieldError("/province", _("Unknown province in that country."), "choice")
    elif city is not None and find_province(city.country, area.province) != province:
        message = _("%(city)s is in %(province)s.") % {"city": city.name, "province": city.province}
        yield FieldError("/province", message, "other_province")


def _record(actor: Actor, verb: str, subject: int, detail: dict[str, Any]) -> None:
    audit.record(actor=actor, verb=verb, object_type=verb.partition(".")[0], object_id=subject, detail=detail)
