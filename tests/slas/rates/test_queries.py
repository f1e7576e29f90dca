"""Random promises and random queries: every figure equals a count promise by promise."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from alliance.errors import InvalidInput
from alliance.models import City, Organisation
from alliance.tenancy import Actor, Scope, scope
from slas.choices import CommitmentKind, ExcuseReason, Outcome, TierCode
from slas.commitments.histograms import bin_of, bounds
from slas.models import OnTimeRate
from slas.rates import queries as rates
from slas.rates.intervals import wilson_lower_bound, wilson_upper_bound
from slas.rates.queries import answer_rates, count_rates, rank_couriers
from slas.rates.rules import IN_ORDER, GroupBy, RateQuery, RateRow, is_provisional, keys_of, percentile
from tests import factories
from tests.helpers.profiles import scaled
from tests.slas.helpers import facts as by_hand
from tests.slas.helpers.commitments import Lane, tier
from tests.slas.helpers.facts import Fact, write_cells

pytestmark = pytest.mark.django_db
# Over the end of a year, of a month and of some weeks.
FIRST, LAST = date(2025, 12, 20), date(2026, 1, 12)
TODAY = date(2026, 1, 13)
DELIVERY, PICKUP = CommitmentKind.DELIVERY, CommitmentKind.PICKUP
RANDOM = settings(
    max_examples=scaled(120), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@dataclass(frozen=True)
class World:
    """Two of everything, four cities in three provinces, and the actors."""

    couriers: list[int]
    merchants: list[int]
    tiers: list[int]
    cities: list[City]
    actors: list[Actor]


@pytest.fixture
def world(
    everything: None,
    lane: Lane,
    rival_courier: Organisation,
    rival_merchant: Organisation,
    courier: Actor,
    merchant: Actor,
    system: Actor,
) -> World:
    return World(
        couriers=[lane.courier.pk, rival_courier.pk],
        merchants=[lane.merchant.pk, rival_merchant.pk],
        tiers=[tier(TierCode.NEXT_DAY).pk, tier(TierCode.SAME_DAY).pk],
        # Hangzhou and Ningbo lie in one province.
        cities=[City.objects.get(code=code) for code in ("CN-HGH", "CN-NGB", "CN-CTU", "CN-SHA")],
        actors=[courier, merchant, system],
    )


@st.composite
def promises(draw: st.DrawFn, world: World) -> Fact:
    kind = draw(st.sampled_from([DELIVERY, DELIVERY, PICKUP]))
    outcome = draw(st.sampled_from(list(Outcome)))
    late = None
    if outcome == Outcome.LATE:
        # Days to the second, a little beside them, anything: edges are where bins go wrong.
        days = st.integers(1, 4).map(lambda number: timedelta(days=number))
        beside = days.map(lambda length: length + timedelta(seconds=1))
        any_length = st.timedeltas(timedelta(seconds=1), timedelta(days=80))
        late = draw(st.one_of(days, beside, any_length))
    is_breach = outcome in (Outcome.LATE, Outcome.OVERDUE)
    attempted = kind == DELIVERY and outcome != Outcome.VOID and draw(st.booleans())
    in_72h = kind == DELIVERY and outcome in (Outcome.MET, Outcome.LATE) and draw(st.booleans())
    return Fact(
        merchant=draw(st.sampled_from(world.merchants)),
        courier=draw(st.sampled_from(world.couriers)),
        tier=draw(st.sampled_from(world.tiers)),
        origin=draw(st.sampled_from(world.cities)),
        destination=draw(st.sampled_from(world.cities)),
        due=draw(st.dates(FIRST, LAST)),
        outcome=outcome,
        kind=kind,
        late=late,
        reason=draw(st.none() | st.sampled_from(list(ExcuseReason))) if is_breach else None,
        attempted=attempted,
        first_attempt=attempted and draw(st.booleans()),
        within_48h=in_72h and draw(st.booleans()),
        within_72h=in_72h,
    )


@st.composite
def questions(draw: st.DrawFn, world: World) -> RateQuery:
    first = draw(st.dates(FIRST - timedelta(days=3), LAST))

    def some(values: Sequence[int]) -> tuple[int, ...] | None:
        return draw(st.none() | st.lists(st.sampled_from(values), max_size=2, unique=True).map(tuple))

    cities = [city.pk for city in world.cities]
    return RateQuery(
        first=first,
        last=draw(st.dates(first, LAST + timedelta(days=3))),
        kind=draw(st.sampled_from([DELIVERY, DELIVERY, PICKUP])),
        group_by=tuple(draw(st.lists(st.sampled_from(list(GroupBy)), max_size=3, unique=True))),
        couriers=some(world.couriers),
        merchants=some(world.merchants),
        tiers=some(world.tiers),
        origins=some(cities),
        destinations=some(cities),
        weekdays=draw(st.none() | st.lists(st.integers(1, 7), max_size=5, unique=True).map(tuple)),
    )


def concerns(fact: Fact, actor: Actor, query: RateQuery) -> bool:
    """Whether a query covers a promise and the actor may see it; the milestone aside."""
    if actor.is_courier and fact.courier != actor.organisation_id:
        return False
    if actor.is_merchant and fact.merchant != actor.organisation_id:
        return False
    wanted = (
        (fact.courier, query.couriers), (fact.merchant, query.merchants), (fact.tier, query.tiers),
        (fact.origin.pk, query.origins), (fact.destination.pk, query.destinations),
        (fact.due.isoweekday(), query.weekdays),
    )  # fmt: skip
    in_period = query.first <= fact.due <= query.last
    return in_period and all(values is None or value in values for value, values in wanted)


@RANDOM
@given(data=st.data())
def test_figures_of_every_grouping_equal_a_recount_of_promises(world: World, data: st.DataObject) -> None:
    facts = data.draw(st.lists(promises(world), max_size=40))
    query, actor = data.draw(questions(world)), data.draw(st.sampled_from(world.actors))
    with transaction.atomic():
        write_cells(facts)
        with scope(Scope.of(actor)):
            answer = answer_rates(actor=actor, query=query, today=TODAY)
            counted = count_rates(actor=actor, query=query, today=TODAY)
        transaction.set_rollback(True)

    asked = [fact for fact in facts if concerns(fact, actor, query)]
    pickups = by_hand.grouped([fact for fact in asked if fact.kind == PICKUP], query.group_by)
    expected = by_hand.grouped([fact for fact in asked if fact.kind == query.kind], query.group_by)
    if not query.group_by:
        expected.setdefault((), [])
    assert {keys_of(row, query.group_by): figures(row) for row in answer.rows} == {
        key: by_hand.figures(group, pickups.get(key, [])) for key, group in expected.items()
    }
    for row in answer.rows:
        check_what_follows(row, expected[keys_of(row, query.group_by)], query)
    every_pickup = [fact for fact in asked if fact.kind == PICKUP]
    of_kind = [fact for fact in asked if fact.kind == query.kind]
    assert figures(answer.total) == by_hand.figures(of_kind, every_pickup)
    assert [row.group for row in counted] == [row.group for row in answer.rows]
    assert [(row.n, row.raw) for row in counted] == [(row.n, row.raw) for row in answer.rows]
    check_order(answer.rows, query.group_by)


def figures(row: RateRow) -> dict[str, Any]:
    names = (
        *Outcome.values, *by_hand.COUNTS, "excused", "n", "accountable_n", "raw", "accountable", "excused_by",
        "first_attempt_rate", "pickup_met", "pickup_n", "pickup_on_time",
    )  # fmt: skip
    return {name: getattr(row, name) for name in names} | {"late_by": tuple(row.late_by)}


def check_what_follows(row: RateRow, group: Sequence[Fact], query: RateQuery) -> None:
    """Bounds, flags, percentiles, and the shares that only deliveries have."""
    assert row.lower_bound == wilson_lower_bound(row.met, row.accountable_n)
    assert row.upper_bound == wilson_upper_bound(row.met, row.accountable_n)
    newest = max((fact.due for fact in group), default=query.last)
    assert row.provisional == is_provisional(newest, TODAY)
    late = [fact.late for fact in group if fact.late is not None]
    for percent, found in ((50, row.p50), (90, row.p90), (95, row.p95)):
        assert_within_bin(found, by_hand.percentile(late, percent))
    if query.kind == DELIVERY:
        assert row.within_48h_rate == by_hand.share(sum(fact.within_48h for fact in group), row.n)
        assert row.within_72h_rate == by_hand.share(sum(fact.within_72h for fact in group), row.n)
    else:
        assert (row.within_48h_rate, row.within_72h_rate) == (None, None)


def assert_within_bin(found: timedelta | None, exact: timedelta | None) -> None:
    if exact is None:
        assert found is None
        return
    assert found is not None
    low, high = bounds(bin_of(exact))
    assert low < found <= high


def check_order(rows: Sequence[RateRow], group_by: Sequence[GroupBy]) -> None:
    times = [place for place, item in enumerate(group_by) if item in IN_ORDER]
    keys = [[keys_of(row, group_by)[place] for place in times] for row in rows]
    assert keys == sorted(keys)
    for before, after in zip(rows, rows[1:], strict=False):
        if [keys_of(before, group_by)[place] for place in times] == [
            keys_of(after, group_by)[place] for place in times
        ]:
            assert (before.lower_bound or -1) >= (after.lower_bound or -1) or before.lower_bound == 0.0


@given(
    st.lists(st.timedeltas(timedelta(seconds=1), timedelta(days=59)), min_size=1, max_size=200),
    st.integers(1, 100),
)
def test_percentiles_are_right_to_within_a_bin(latenesses: list[timedelta], percent: int) -> None:
    histogram: dict[int, int] = {}
    for late in latenesses:
        histogram[bin_of(late)] = histogram.get(bin_of(late), 0) + 1
    exact, found = by_hand.percentile(latenesses, percent), percentile(histogram, percent)
    assert exact is not None
    assert found is not None
    low, high = bounds(bin_of(exact))
    assert abs(found - exact) <= high - low


def test_percentiles_of_an_empty_histogram_are_none() -> None:
    assert percentile({}, 50) is None
    assert percentile({4: 0}, 50) is None


def test_late_by_a_day_to_the_second_is_late_by_one_day(world: World, system: Actor) -> None:
    hangzhou, *_rest = world.cities

    def late(**by: float) -> Fact:
        length = timedelta(**by)
        return Fact(
            world.merchants[0],
            world.couriers[0],
            world.tiers[0],
            hangzhou,
            hangzhou,
            FIRST,
            Outcome.LATE,
            late=length,
        )

    lengths = [{"days": days, "seconds": seconds} for days in (1, 2, 3) for seconds in (0, 1)]
    write_cells([late(**length) for length in lengths])
    [row] = answer_rates(actor=system, query=RateQuery(FIRST, LAST), today=TODAY).rows
    assert tuple(row.late_by) == (1, 2, 2, 1, 0)


def test_courier_sees_only_its_own_rates_by_merchant(world: World) -> None:
    courier, merchant, _ops = world.actors
    there = world.cities[0]
    write_cells(
        Fact(merchant_id, courier_id, world.tiers[0], there, there, FIRST)
        for merchant_id in world.merchants
        for courier_id in world.couriers
        for _parcel in range(2)
    )
    by_merchant = RateQuery(FIRST, LAST, group_by=(GroupBy.MERCHANT,))
    by_courier = RateQuery(FIRST, LAST, group_by=(GroupBy.COURIER,))
    with scope(Scope.of(courier)):
        rows = answer_rates(actor=courier, query=by_merchant, today=TODAY).rows
        assert {row.group: row.n for row in rows} == dict.fromkeys(world.merchants, 2)
        [own] = answer_rates(actor=courier, query=by_courier, today=TODAY).rows
        assert (own.group, own.n) == (courier.organisation_id, 4)
        others = RateQuery(FIRST, LAST, couriers=(world.couriers[1],))
        assert answer_rates(actor=courier, query=others, today=TODAY).total.n == 0
    with scope(Scope.of(merchant)):
        rows = answer_rates(actor=merchant, query=by_courier, today=TODAY).rows
        assert {row.group: row.n for row in rows} == dict.fromkeys(world.couriers, 2)
        others = RateQuery(FIRST, LAST, merchants=(world.merchants[1],))
        assert answer_rates(actor=merchant, query=others, today=TODAY).total.n == 0


def test_database_hides_bins_and_cells_of_others(world: World) -> None:
    """Ops' query in a tenant's scope: only the database's policies protect the rows."""
    there, (mine, theirs) = world.cities[0], world.couriers
    late = timedelta(hours=3)
    write_cells(
        Fact(world.merchants[1], courier, world.tiers[0], there, there, FIRST, Outcome.LATE, late=late)
        for courier in (mine, theirs)
    )
    for by_merchant in (False, True):
        query = RateQuery(FIRST, LAST, by_merchant=by_merchant)
        with scope(Scope.courier(mine)):
            total = answer_rates(actor=Actor.system("test"), query=query, today=TODAY).total
        assert (total.n, sum(total.lateness.values())) == (1, 1)


def ranked_world(world: World, third: int, *, parcels: int) -> None:
    """Three couriers: the second keeps all promises, the first 9 of 10, the third none."""
    there = world.cities[0]
    kept = {world.couriers[0]: 0.9, world.couriers[1]: 1.0, third: 0.0}
    write_cells(
        Fact(
            world.merchants[0], courier, world.tiers[0], there, there, FIRST,
            Outcome.MET if number < share * parcels else Outcome.OVERDUE,
        )
        for courier, share in kept.items()
        for number in range(parcels)
    )  # fmt: skip


@pytest.fixture
def third_courier(db: None) -> int:
    return factories.courier_organisation("Third Carriage").pk


def test_courier_sees_its_rank_and_no_other_courier(world: World, third_courier: int) -> None:
    courier, merchant, ops = world.actors
    ranked_world(world, third_courier, parcels=30)
    query = RateQuery(FIRST, LAST)
    with scope(Scope.of(courier)):
        ranking = rank_couriers(actor=courier, query=query, today=TODAY)
    assert [row.group for row in ranking.rows] == [courier.organisation_id]
    assert (ranking.place, ranking.of) == (2, 3)
    for actor in (merchant, ops):
        with scope(Scope.of(actor)):
            ranking = rank_couriers(actor=actor, query=query, today=TODAY)
        assert [row.group for row in ranking.rows] == [world.couriers[1], world.couriers[0], third_courier]
        assert (ranking.place, ranking.of) == (None, 3)


@pytest.mark.parametrize("why", ["few parcels", "few couriers", "by merchant"])
def test_rank_that_would_reveal_other_rates_is_hidden(world: World, third_courier: int, why: str) -> None:
    courier = world.actors[0]
    ranked_world(world, third_courier, parcels=29 if why == "few parcels" else 30)
    query = RateQuery(FIRST, LAST)
    if why == "few couriers":
        OnTimeRate.objects.filter(organisation_id=third_courier).delete()
    if why == "by merchant":
        query = RateQuery(FIRST, LAST, merchants=(world.merchants[0],))
    with scope(Scope.of(courier)):
        ranking = rank_couriers(actor=courier, query=query, today=TODAY)
    assert (ranking.place, ranking.of) == (None, 0)
    assert [row.group for row in ranking.rows] == [courier.organisation_id]


def test_answers_of_too_many_rows_are_refused(
    world: World, system: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = world.cities[0]
    write_cells(
        Fact(world.merchants[0], courier, world.tiers[0], there, there, FIRST + timedelta(days=ahead))
        for courier in world.couriers
        for ahead in range(2)
    )
    query = RateQuery(FIRST, LAST, group_by=(GroupBy.DAY, GroupBy.COURIER))
    monkeypatch.setattr(rates, "MOST_ROWS", 4)
    assert len(answer_rates(actor=system, query=query, today=TODAY).rows) == 4
    monkeypatch.setattr(rates, "MOST_ROWS", 3)
    with pytest.raises(InvalidInput) as raised:
        answer_rates(actor=system, query=query, today=TODAY)
    [error] = raised.value.errors
    assert (error.pointer, error.code) == ("/group_by", "too_many_rows")
    assert "more than 3 rows" in str(error.message)


@pytest.mark.parametrize(("group_by", "queries"), [((), 2), ((GroupBy.LANE,), 2), (tuple(GroupBy)[:3], 2)])
def test_an_answer_costs_two_queries_whatever_there_is(
    world: World, system: Actor, django_assert_num_queries: Any, group_by: tuple[GroupBy, ...], queries: int
) -> None:
    there = world.cities[0]
    for parcels in (1, 50):
        write_cells(
            Fact(
                world.merchants[0],
                world.couriers[0],
                world.tiers[0],
                there,
                city,
                FIRST + timedelta(days=parcels),
            )
            for city in world.cities
            for _parcel in range(parcels)
        )
        with django_assert_num_queries(queries):
            answer_rates(
                actor=system, query=RateQuery(FIRST, date(2026, 3, 1), group_by=group_by), today=TODAY
            )
