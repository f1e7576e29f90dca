"""Try a merchant's rules on what it has booked: nothing is booked or changed.

The offers, prices and records of today are applied to the lanes, services and weights of the parcels. Places
are not counted, and every parcel is taken to have named no courier: how many a day has left, and what was
named, is not known of the past. The parcels of an order go together, as they were booked.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import partial
from typing import Any, Final

from django.db import transaction
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from alliance import audit
from alliance.choices import Capability
from alliance.errors import Conflict, FieldError, InvalidInput, NotFound
from alliance.file_jobs import UNFINISHED, FileJobs, turn
from alliance.identifiers import RANDOM_BITS
from alliance.jobs import after_commit
from alliance.locks import Lock, wait_for
from alliance.members.services.organisations import worker_of_organisation
from alliance.models import City
from alliance.tenancy import Actor, require
from couriers.homes.lists import at_homes, merged_by_shard
from parcels.bookings.models import Parcel
from parcels.bookings.querysets import first_id
from parcels.choices import DryRunState, ParcelStatus
from parcels.dry_runs.models import DryRun
from parcels.dry_runs.rules import Count
from slas.allocation.in_force import rule_of
from slas.allocation.models import AllocationRule
from slas.allocation.rules import Rule, Sent
from slas.allocation.services import own_rules
from slas.offers.market import Lane, Market, NotAvailable
from slas.promises.tiers_in_force import TierInForce

PARCELS_A_SLICE: Final = 2_000
MOST_PARCELS: Final = 200_000
MOST_DAYS: Final = 31
# Older ones are deleted when another one is begun.
KEPT: Final = 20
JOBS: Final = FileJobs(DryRun, lambda run_id: after_commit("parcels.tasks.count_dry_run", run_id))
_READ: Final = (
    "id", "merchant_id", "courier_id", "tier_id", "origin_id", "destination_id", "weight_g", "fee_fen",
    "reference", "declared_value_fen", "piece", "pieces", "order_id",
)  # fmt: skip
_RANDOM: Final = (1 << RANDOM_BITS) - 1


@dataclass(frozen=True, slots=True)
class Period:
    """Days of booking, both included."""

    first: date
    last: date

    @classmethod
    def last_month(cls, today: date) -> "Period":
        last = today.replace(day=1) - timedelta(days=1)
        return cls(last.replace(day=1), last)

    @classmethod
    def last_days(cls, today: date, days: int = 30) -> "Period":
        return cls(today - timedelta(days=days - 1), today)


def start_dry_run(*, actor: Actor, rule_ids: Sequence[int], period: Period) -> DryRun:
    """Have a worker try some of the merchant's rules, in their order, whether they are on or off.

    Raises InvalidInput for no or unknown rules and a period that is too long, Conflict while one is at work.
    """
    require(actor, Capability.ALLOCATE)
    rules = [rule for rule in own_rules(actor) if rule.pk in rule_ids]
    errors = []
    if not rules or len(rules) < len(set(rule_ids)):
        errors.append(FieldError("/rules", _("Choose at least one of your rules."), "required"))
    if not 0 <= (period.last - period.first).days < MOST_DAYS:
        message = _("At most %(days)d days at once.") % {"days": MOST_DAYS}
        errors.append(FieldError("/period", message, "period"))
    if errors:
        raise InvalidInput(errors=errors)
    zone = timezone.get_default_timezone()
    begins_at = first_id(period.first, zone) - 1
    with transaction.atomic():
        wait_for(Lock.START_DRY_RUN, of=actor.tenant_id)
        runs = DryRun.objects.visible_to(actor)
        if runs.filter(state__in=UNFINISHED).exists():
            detail = _("A dry run is at work already. Begin another one when it has ended.")
            raise Conflict(detail, code="dry_run_running", retry_after=30)
        old = list(runs.order_by("-pk").values_list("pk", flat=True)[KEPT - 1 :])
        DryRun.objects.filter(pk__in=old).delete()
        run = DryRun.objects.create(
            merchant_id=actor.tenant_id,
            requested_by_id=actor.user_id,
            first=period.first,
            last=period.last,
            rules=[_stored(rule) for rule in rules],
            language=translation.get_language() or "en",
            position=begins_at,
            begins_at=begins_at,
            ends_at=first_id(period.last + timedelta(days=1), zone),
        )
        audit.record(
            actor=actor,
            verb="dry_run.started",
            object_type="dry_run",
            object_id=run.pk,
            detail={"first": run.first, "last": run.last, "rules": [rule.name for rule in rules]},
        )
        JOBS.hand_over(run.pk)
    return run


def dry_runs_of(actor: Actor) -> Any:
    """Return the merchant's runs, newest first. Raises NotFound for whom is no merchant."""
    require(actor, Capability.BOOK_PARCELS)
    if not actor.is_merchant:
        raise NotFound
    return DryRun.objects.visible_to(actor).select_related("requested_by")


def rules_of(run: DryRun) -> list[AllocationRule]:
    """Return the rules as they were when the run was requested."""
    return [AllocationRule(**values) for values in run.rules]


def count_dry_run(
    *, run_id: int, stretch: timedelta | None = None, parcels_a_slice: int = PARCELS_A_SLICE
) -> bool:
    """Count from where a run stopped, for a limited time; return whether it needs no further task.

    May be stopped at any point, and run twice and concurrently. A slice that keeps failing fails the run.
    """
    return JOBS.run(run_id, partial(_slices, limit=parcels_a_slice), stretch)


def resume_dry_runs(*, now: datetime) -> int:
    """Send runs whose worker was killed or failed a while ago to workers again; return how many."""
    return JOBS.hand_out(now=now)


def _slices(run: DryRun, *, limit: int) -> Iterator[None]:
    actor, place = worker_of_organisation(run.merchant_id, label=f"dry run {run.pk}"), run.place
    rules = [rule_of(row) for row in rules_of(run)]
    while True:
        with turn(actor, run, place) as row:
            _count_slice(actor, row, rules, limit)
        if row.is_finished:
            return
        place = row.place
        yield


def _count_slice(actor: Actor, run: DryRun, rules: Sequence[Rule], limit: int) -> None:
    parcels, are_all = _page(actor, run, limit)
    count = Count.from_json(run.result)
    _Trial(parcels, rules, _heaviest(actor, run.merchant_id, parcels)).add_to(count)
    run.result, run.done = count.as_json(), run.done + len(parcels)
    run.is_cut = not are_all and run.done >= MOST_PARCELS
    if are_all or run.is_cut:
        run.position = run.ends_at
        run.finish(DryRunState.DONE)
    else:
        run.position = parcels[-1].pk


def _page(actor: Actor, run: DryRun, limit: int) -> tuple[list[Parcel], bool]:
    """Return the next parcels in the order of booking, and whether these are the last."""
    booked = Parcel.objects.visible_to(actor).filter(
        merchant_id=run.merchant_id, pk__gt=run.position, pk__lt=run.ends_at, weight_g__isnull=False
    )
    in_order = booked.exclude(status=ParcelStatus.CANCELLED).order_by("pk")
    merged = merged_by_shard(in_order, "id", most=limit)
    if merged is not None:
        return merged
    parcels = list(in_order.only(*_READ)[:limit])
    return parcels, len(parcels) < limit


def _heaviest(actor: Actor, merchant_id: int, parcels: Sequence[Parcel]) -> dict[int, Parcel]:
    """Return the heaviest parcel of each order that some of the parcels are of, by the order.

    Others of it may be in another slice, or cancelled by now. They are found as `pieces_of` finds them.
    """
    orders = {each.order_id: each.pieces for each in parcels if each.order_id is not None}
    if not orders:
        return {}
    rows = Parcel.objects.visible_to(actor).filter(
        merchant_id=merchant_id,
        order_id__in=list(orders),
        pk__gte=min(orders) & ~_RANDOM,
        pk__lte=max(orders) | _RANDOM,
    )
    found: dict[int, Parcel] = {}
    # As a booking takes it: of two that weigh the same, the first.
    for each in sorted(at_homes(rows.order_by("pk"), most=sum(orders.values())), key=_weight_and_place):
        if each.order_id is not None:
            found[each.order_id] = each
    return found


def _weight_and_place(parcel: Parcel) -> tuple[int, int]:
    return parcel.weight_g or 0, -parcel.piece


class _Trial:
    """Some parcels, and what is on sale on their lanes today.

    `heaviest` has the parcel by which each of their orders is judged.
    """

    def __init__(
        self, parcels: Sequence[Parcel], rules: Sequence[Rule], heaviest: Mapping[int, Parcel]
    ) -> None:
        self._parcels, self._heaviest = parcels, heaviest
        cities = City.objects.in_bulk(
            {pk for each in parcels for pk in (each.origin_id, each.destination_id)}
        )
        lanes = {(cities[each.origin_id], cities[each.destination_id]) for each in parcels}
        self._market = Market(lanes, at=timezone.now(), rules=rules) if lanes else None
        tiers = self._market.tiers.values() if self._market else ()
        self._tiers = {tier.id: tier for tier in tiers}

    def add_to(self, count: Count) -> None:
        for parcel in self._parcels:
            tier = self._tiers.get(parcel.tier_id)
            if tier is None or self._market is None:
                count.gone += 1
                continue
            try:
                self._place(self._market, parcel, tier, count)
            except NotAvailable as refusal:
                if refusal.rule is None:
                    count.gone += 1
                else:
                    count.refused[refusal.rule.id] += 1

    def _place(self, market: Market, parcel: Parcel, tier: TierInForce, count: Count) -> None:
        lane, weight_g = Lane(parcel.origin_id, parcel.destination_id), parcel.weight_g or 0
        decision = market.choose(lane, tier, self._sent(parcel))
        best, surcharge_fen = decision.offers[0], market.surcharge_fen(tier, weight_g)
        rates = {offer.courier_id: offer.record.rate for offer in market.offers(lane, tier)}
        count.place(
            was=(parcel.courier_id, parcel.fee_fen or 0, rates.get(parcel.courier_id)),
            now=(best.courier_id, best.price_fen + surcharge_fen, best.record.rate),
        )
        rule = decision.rule_of(best)
        count.decided[rule.id if rule else 0] += 1

    def _sent(self, parcel: Parcel) -> Sent:
        """What rules ask: of an order, its heaviest parcel, so that one courier gets all of it or none."""
        asked = parcel if parcel.order_id is None else self._heaviest.get(parcel.order_id, parcel)
        # Recipients may be erased by now: without a reference, the number draws a share.
        drawn_by = asked.reference or str(asked.order_id or asked.number)
        return Sent(asked.weight_g or 0, asked.reference, drawn_by, asked.declared_value_fen or 0)


def _stored(rule: AllocationRule) -> dict[str, Any]:
    names = [each.attname for each in rule._meta.concrete_fields if each.attname != "changed_at"]
    return {name: getattr(rule, name) for name in names}
