"""On-time rates of a period from folded cells, visible to the parties concerned."""

from datetime import date, timedelta

import pytest
from rest_framework.test import APIClient

from alliance.errors import InvalidInput, NotPermitted
from alliance.models import Organisation
from alliance.tenancy import Actor, Scope, scope
from slas.choices import TierCode
from slas.commitments.services.settling import excuse_commitments
from slas.commitments.services.sweeping import sweep_overdue
from slas.models import OnTimeRate
from slas.rates.intervals import wilson_lower_bound
from slas.rates.queries import answer_rates, rates_for, summary_for
from slas.rates.rules import GroupBy, RateQuery, RateRow
from slas.rates.services.folding import fold_tallies
from tests.factories import SWIFT
from tests.slas.helpers.commitments import DAY, DELIVERY, HOUR, NOON, PICKUP, Lane, city, reach, tier

pytestmark = pytest.mark.django_db
TODAY = NOON.date()


@pytest.fixture
def judged(everything: None, lane: Lane) -> Lane:
    """Yesterday: three on time, one late, one late but excused, one overdue, a pickup. Today: one pending."""
    for minutes in (-60, -30, 0, 30, 60):
        parcel_id = lane.promise(NOON - DAY)
        reach(parcel_id, NOON - DAY + timedelta(minutes=minutes))
    excuse_commitments(keys=[(parcel_id, DELIVERY)], reason="weather", now=NOON)
    lane.promise(NOON - DAY)
    lane.promise(NOON + HOUR)
    reach(lane.promise(NOON - DAY, PICKUP), NOON - DAY, kind=PICKUP)
    sweep_overdue(now=NOON)
    fold_tallies()
    return lane


def ask(actor: Actor, **fields: object) -> list[RateRow]:
    period = {"first": TODAY - 6 * DAY, "last": TODAY, "today": TODAY, **fields}
    with scope(Scope.of(actor)):
        return rates_for(actor=actor, **period)


def test_raw_and_accountable_stand_side_by_side(judged: Lane, courier: Actor) -> None:
    [row] = ask(courier)
    assert (row.met, row.late, row.overdue, row.excused, row.pending) == (3, 2, 1, 1, 1)
    assert (row.n, row.raw, row.accountable_n, row.accountable) == (6, 0.5, 5, 0.6)
    assert row.lower_bound == wilson_lower_bound(3, 5)
    assert row.provisional
    assert row.is_few
    assert row.promised == 7


@pytest.mark.parametrize("fixture_name", ["courier", "merchant", "system"])
def test_settled_and_folded_commitments_are_in_every_figure(
    judged: Lane, fixture_name: str, request: pytest.FixtureRequest
) -> None:
    """Late by 30 minutes, and by an hour for the weather; one missing; one pickup on time."""
    actor = request.getfixturevalue(fixture_name)
    with scope(Scope.of(actor)):
        row = answer_rates(actor=actor, query=RateQuery(TODAY - 6 * DAY, TODAY), today=TODAY).total
    assert tuple(row.late_by) == (2, 0, 0, 0, 1)
    assert (row.p50, row.p90) == (HOUR / 2, HOUR)
    assert row.excused_by == {"weather": 1}
    assert (row.pickup_met, row.pickup_n, row.pickup_on_time) == (1, 1, 1.0)


@pytest.mark.parametrize("fixture_name", ["courier", "merchant", "system"])
def test_each_party_and_ops_count_every_parcel_once(
    judged: Lane, fixture_name: str, request: pytest.FixtureRequest
) -> None:
    [row] = ask(request.getfixturevalue(fixture_name))
    assert row.n == 6


def test_outsiders_see_nothing(
    judged: Lane, rival_courier: Organisation, rival_merchant: Organisation
) -> None:
    for organisation, kind in ((rival_courier, "courier"), (rival_merchant, "merchant")):
        outsider = Actor(
            kind="user",
            organisation_id=organisation.pk,
            organisation_kind=kind,
            capabilities=Actor.system("").capabilities,
        )
        [row] = ask(outsider)
        assert row.n == 0
        assert row.raw is None


def test_rates_need_the_capability(courier: Actor) -> None:
    with pytest.raises(NotPermitted):
        ask(Actor(kind="user", organisation_id=courier.organisation_id, organisation_kind="courier"))


def test_group_by_day_is_in_order_and_by_due_date(judged: Lane, courier: Actor) -> None:
    yesterday, today = ask(courier, group_by=GroupBy.DAY)
    assert (yesterday.group, yesterday.n) == (TODAY - DAY, 6)
    assert (today.group, today.n, today.pending) == (TODAY, 0, 1)


def test_group_by_courier_puts_the_surer_one_first(
    judged: Lane, rival_courier: Organisation, system: Actor, merchant: Actor
) -> None:
    reach(judged.promise(NOON, courier_id=rival_courier.pk), NOON)
    fold_tallies()
    for actor in (system, merchant):
        rows = ask(actor, group_by=GroupBy.COURIER)
        # One of one has a lower bound below three of five.
        assert [(row.group, row.n) for row in rows] == [(judged.courier.pk, 6), (rival_courier.pk, 1)]


def test_group_by_lane_and_tier(judged: Lane, courier: Actor) -> None:
    shanghai, same_day = city("CN-SHA", "Shanghai"), tier(TierCode.SAME_DAY)
    reach(judged.promise(NOON, destination_id=shanghai.pk, tier_id=same_day.pk), NOON)
    fold_tallies()
    lanes = {row.group: row.n for row in ask(courier, group_by=GroupBy.LANE)}
    assert lanes == {
        (judged.origin.pk, judged.destination.pk): 6,
        (judged.origin.pk, shanghai.pk): 1,
    }
    tiers = {row.group: row.n for row in ask(courier, group_by=GroupBy.TIER)}
    assert tiers == {judged.tier.pk: 6, same_day.pk: 1}


def test_merchants_see_the_lanes_of_their_parcels(judged: Lane, merchant: Actor) -> None:
    [lane] = ask(merchant, group_by=GroupBy.LANE)
    assert (lane.group, lane.n) == ((judged.origin.pk, judged.destination.pk), 6)


@pytest.mark.parametrize(("first", "last"), [(TODAY, TODAY - DAY), (TODAY - timedelta(days=366), TODAY)])
def test_periods_that_cannot_be(courier: Actor, first: date, last: date) -> None:
    with pytest.raises(InvalidInput) as error:
        ask(courier, first=first, last=last, group_by=GroupBy.DAY)
    assert error.value.errors[0].pointer == "/from"


@pytest.mark.parametrize(("age", "provisional"), [(0, True), (7, True), (8, False)])
def test_a_cohort_is_mature_seven_days_after_it_closed(
    everything: None, lane: Lane, courier: Actor, age: int, provisional: bool
) -> None:
    reach(lane.promise(NOON - age * DAY), NOON - age * DAY)
    fold_tallies()
    [row] = ask(courier, first=TODAY - 30 * DAY)
    assert row.provisional is provisional


def test_summary_shows_two_periods_every_day_and_now(judged: Lane, courier: Actor) -> None:
    long_overdue = NOON - 200 * DAY
    judged.promise(long_overdue)
    judged.promise(NOON - 10 * DAY)
    sweep_overdue(now=NOON)
    fold_tallies()
    with scope(Scope.of(courier)):
        summary = summary_for(actor=courier, today=TODAY)
    assert (summary.week.n, summary.month.n) == (6, 7)
    assert [row.group for row in summary.trend] == [TODAY - 29 * DAY + ahead * DAY for ahead in range(30)]
    assert [row.n for row in summary.trend if row.n] == [1, 6]
    assert (summary.due_today, summary.open_today, summary.overdue_now) == (1, 1, 3)


def test_summary_costs_three_queries_whatever_there_is(
    judged: Lane, system: Actor, django_assert_num_queries: object
) -> None:
    with django_assert_num_queries(3):
        summary_for(actor=system, today=TODAY)


def test_summary_of_a_newcomer_is_all_zeros(courier: Actor) -> None:
    with scope(Scope.of(courier)):
        summary = summary_for(actor=courier, today=TODAY)
    assert len(summary.trend) == 30
    assert summary.month.raw is None
    assert (summary.due_today, summary.overdue_now) == (0, 0)


def test_api_answers_rates_by_day(judged: Lane, courier_api: APIClient) -> None:
    response = courier_api.get("/api/v1/rates", {"from": TODAY - DAY, "to": TODAY, "group_by": "day"})
    assert response.status_code == 200
    body = response.json()
    assert (body["from"], body["to"], body["kind"]) == (str(TODAY - DAY), str(TODAY), "delivery")
    first, second = body["results"]
    assert first["day"] == str(TODAY - DAY)
    assert (first["met"], first["n"], first["raw_rate"], first["accountable_rate"]) == (3, 6, 0.5, 0.6)
    assert first["provisional"]
    assert (second["n"], second["raw_rate"], second["pending"]) == (0, None, 1)


@pytest.mark.parametrize(
    ("group_by", "expected"),
    [
        ("courier", {"courier": SWIFT, "courier_name": "Swift Express"}),
        ("lane", {"origin": "CN-HGH", "destination": "CN-CTU", "destination_name": "Chengdu"}),
        ("tier", {"tier": "next_day"}),
    ],
)
def test_api_uses_public_names_of_groups(
    judged: Lane, courier_api: APIClient, group_by: str, expected: dict[str, object]
) -> None:
    [row] = courier_api.get("/api/v1/rates", {"group_by": group_by}).json()["results"]
    assert {key: row[key] for key in expected} == expected


def test_api_filters_by_kind_tier_and_courier(judged: Lane, merchant_api: APIClient) -> None:
    def met(**query: str) -> int:
        [row] = merchant_api.get("/api/v1/rates", query).json()["results"]
        return row["met"]

    assert met(kind="pickup") == 1
    assert met(tier="next_day") == 3
    assert met(tier="same_day") == 0
    assert met(courier=SWIFT) == 3


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ({"from": "yesterday"}, "/from"),
        ({"from": "2026-02-02", "to": "2026-02-01"}, "/from"),
        ({"kind": "lunch"}, "/kind"),
        ({"tier": "never"}, "/tier"),
        ({"courier": "nobody"}, "/courier"),
        ({"group_by": "mood"}, "/group_by"),
    ],
)
def test_api_explains_invalid_queries(courier_api: APIClient, query: dict[str, str], pointer: str) -> None:
    response = courier_api.get("/api/v1/rates", query)
    assert response.status_code == 422
    assert response["Content-Type"] == "application/problem+json"
    assert [error["pointer"] for error in response.json()["errors"]] == [pointer]


def test_api_needs_somebody(db: None) -> None:
    assert APIClient().get("/api/v1/rates").status_code == 401
    assert APIClient().get("/api/v1/breaches").status_code == 401


def test_api_lists_breaches_newest_first_page_by_page(judged: Lane, courier_api: APIClient) -> None:
    seen, address = [], "/api/v1/breaches?page_size=1"
    while address:
        body = courier_api.get(address).json()
        seen += body["results"]
        address = body["next"]
    assert [breach["outcome"] for breach in seen] == ["late", "late", "overdue"]
    assert [breach["is_excused"] for breach in seen].count(True) == 1
    assert len({breach["tracking_number"] for breach in seen}) == 3
    assert {breach["courier"] for breach in seen} == {SWIFT}


def test_api_lists_breaches_by_state(judged: Lane, merchant_api: APIClient) -> None:
    parcel_id = judged.promise(NOON)
    reach(parcel_id, NOON + HOUR)
    reach(parcel_id, NOON)

    def listed(**query: str) -> int:
        return len(merchant_api.get("/api/v1/breaches", query).json()["results"])

    assert (listed(), listed(state="standing"), listed(state="withdrawn")) == (4, 3, 1)
    assert (listed(kind="pickup"), listed(tier="same_day")) == (0, 0)
    assert merchant_api.get("/api/v1/breaches", {"state": "odd"}).status_code == 422
    misspelt = merchant_api.get("/api/v1/breaches", {"stat": "standing"})
    assert [error["pointer"] for error in misspelt.json()["errors"]] == ["/stat"]


def test_api_breaches_of_others_are_not_shown(judged: Lane, rival_courier: Organisation) -> None:
    with scope(Scope.courier(rival_courier.pk)):
        assert not OnTimeRate.objects.exists()


def test_api_breaches_cost_the_same_queries_for_one_and_many(
    judged: Lane, courier_api: APIClient, django_assert_max_num_queries: object
) -> None:
    with django_assert_max_num_queries(18) as one:
        courier_api.get("/api/v1/breaches?page_size=1")
    with django_assert_max_num_queries(len(one)):
        courier_api.get("/api/v1/breaches?page_size=3")
