"""Quotes: the offers, their order, and alternatives when an offer is full."""

from datetime import date, datetime, timedelta

import pytest

from alliance.errors import InvalidInput, NotPermitted
from alliance.models import City, Organisation
from alliance.tenancy import Actor, Scope, scope
from couriers.choices import Grade
from couriers.models import Courier
from slas.models import Closure, ServiceTier, TierVersion
from slas.offers.quotes import Quote, QuoteRequest, quote
from slas.offers.ranking import NO_RECORD, Reason, Record
from slas.promises.rules import StepCode
from slas.promises.services.holidays import load_holidays
from slas.promises.tiers_in_force import rule_of, tiers_at
from tests import factories
from tests.slas.helpers.journeys import PUBLISHED_RULES
from tests.slas.helpers.offers import fill, offer, record, today_at

NOON = today_at(12)
TODAY = NOON.date()
TOMORROW = TODAY + timedelta(days=1)


def ask(
    merchant: Actor,
    origin: City,
    destination: City,
    *,
    at: datetime = NOON,
    tier: str = "next_day",
    **given: int,
) -> Quote:
    request = QuoteRequest(origin, destination, given.get("weight_g", 800), at, tier)
    with scope(Scope.of(merchant)):
        return quote(actor=merchant, request=request, at=at)


# --- reference data ---------------------------------------------------------------------------


@pytest.mark.django_db
def test_seeded_versions_are_the_published_ones() -> None:
    for version in TierVersion.objects.select_related("tier"):
        code = ServiceTier.objects.get(pk=version.tier_id).code
        assert rule_of(version, code) == PUBLISHED_RULES[code]


@pytest.mark.django_db
def test_a_new_version_holds_from_its_date_on(everything: None) -> None:
    old = TierVersion.objects.get(tier__code="next_day", number=1)
    TierVersion.objects.create(
        tier=old.tier,
        number=2,
        valid_from=NOON,
        cut_offs={"1": {"time": "21:30", "day_offset": -1}},
        pickup_by="12:00",
        deliver_by="18:00",
        days_in_transit=1,
        weight_bands=[],
    )
    before, after = tiers_at(NOON - timedelta(seconds=1)), tiers_at(NOON)
    assert before["next_day"].rule.version == 1
    assert after["next_day"].rule.version == 2
    assert after["next_day"].rule.pickup_weekdays == {1}


ALL_WEEK = {str(day): {"time": "12:00", "day_offset": 0} for day in range(7)}


def announce(valid_from: datetime, **changes: object) -> None:
    values: dict[str, object] = {
        "pickup_by": "20:00", "deliver_by": "20:00", "days_in_transit": 1, "cut_offs": ALL_WEEK, **changes,
    }  # fmt: skip
    current = TierVersion.objects.get(tier__code="next_day", number=1)
    values.setdefault("weight_bands", current.weight_bands)
    TierVersion.objects.create(tier=current.tier, number=2, valid_from=valid_from, **values)


@pytest.mark.parametrize(
    ("starts", "changes", "until"),
    [
        # The cut-off of the rules that are in force by then: at noon, not at six.
        (today_at(0, days=1), {}, today_at(12, days=1)),
        # What they promise is another delivery or price: this one ends with the old rules.
        (today_at(0, days=1), {"deliver_by": "22:00"}, today_at(0, days=1)),
        (
            today_at(0, days=1),
            {"weight_bands": [{"up_to_g": 9_000, "surcharge_fen": 1}]},
            today_at(0, days=1),
        ),
        (today_at(0, days=1), {"cut_offs": {}}, today_at(0, days=1)),
        # Their cut-off has passed when they come into force, or they come later than the cut-off.
        (today_at(13, days=1), {}, today_at(13, days=1)),
        (today_at(19, days=1), {}, today_at(18, days=1)),
    ],
)
def test_countdown_ends_by_the_rules_that_are_in_force_by_then(
    merchant: Actor,
    courier_organisation: Organisation,
    hangzhou: City,
    chengdu: City,
    starts: datetime,
    changes: dict[str, object],
    until: datetime,
) -> None:
    offer(courier_organisation, hangzhou, chengdu)
    announce(starts, **changes)
    late = today_at(18, 30)
    [offered] = ask(merchant, hangzhou, chengdu, at=late).offers
    assert (offered.promise.effective_date, offered.promise.cut_off_at) == (TOMORROW, until)
    assert offered.to_cut_off == until - late
    assert (offered.promise.steps[-1].code == StepCode.NEW_RULES) == (until != today_at(18, days=1))


@pytest.mark.django_db
def test_golden_week_is_a_closure_and_an_adjusted_working_day_is_not(everything: None, system: Actor) -> None:
    load_holidays(actor=system)
    days = set(Closure.objects.filter(is_public_holiday=True, date__year=2026).values_list("date", flat=True))
    assert {date(2026, 10, day) for day in range(1, 8)} <= days
    assert date(2026, 10, 10) not in days
    years = {day.year for day in Closure.objects.values_list("date", flat=True)}
    assert set(range(2016, 2028)) == years


# --- the offers of a lane ---------------------------------------------------------------------


def test_quote_names_price_promise_places_and_time_to_cut_off(
    merchant: Actor, courier_organisation: Organisation, hangzhou: City, chengdu: City
) -> None:
    offer(courier_organisation, hangzhou, chengdu, price_fen=1250)
    [quoted_offer] = ask(merchant, hangzhou, chengdu, weight_g=1_500).offers
    assert quoted_offer.fee_fen == 1250 + 300
    assert quoted_offer.promise.pickup_by == today_at(20)
    assert quoted_offer.promise.deliver_by == today_at(20, days=1)
    assert quoted_offer.places_left == 20
    assert quoted_offer.to_cut_off == timedelta(hours=6)
    assert quoted_offer.recommended
    assert quoted_offer.reason is Reason.ONLY_OFFER
    assert quoted_offer.record == NO_RECORD


def test_quote_past_the_cut_off_rolls_and_explains_it(
    merchant: Actor, courier_organisation: Organisation, hangzhou: City, chengdu: City
) -> None:
    offer(courier_organisation, hangzhou, chengdu)
    [quoted_offer] = ask(merchant, hangzhou, chengdu, at=today_at(18, 1)).offers
    assert quoted_offer.promise.rolled
    assert quoted_offer.promise.effective_date == TOMORROW
    assert quoted_offer.full_on == ()


def test_quote_without_a_tier_lists_all_and_explains_missing_ones(
    merchant: Actor, courier_organisation: Organisation, hangzhou: City, chengdu: City
) -> None:
    offer(courier_organisation, hangzhou, chengdu, tier="standard")
    offer(courier_organisation, hangzhou, chengdu, tier="next_day")
    answer = ask(merchant, hangzhou, chengdu, tier="")
    assert [quoted_offer.tier.code for quoted_offer in answer.offers] == ["next_day", "standard"]
    assert all(quoted_offer.recommended for quoted_offer in answer.offers)
    assert [(item.tier, item.code) for item in answer.unavailable] == [("same_day", "not_offered")]


def test_quote_of_a_parcel_over_the_weight_bands_is_unavailable(
    merchant: Actor, courier_organisation: Organisation, hangzhou: City, chengdu: City
) -> None:
    offer(courier_organisation, hangzhou, chengdu)
    answer = ask(merchant, hangzhou, chengdu, weight_g=30_001)
    assert answer.offers == ()
    assert answer.unavailable[0].code == "too_heavy"


def test_quote_leaves_out_suspended_couriers_and_offers_off_sale(
    merchant: Actor, rival_courier: Organisation, hangzhou: City, chengdu: City
) -> None:
    offer(factories.courier_organisation(name="Gone", status="suspended"), hangzhou, chengdu)
    offer(rival_courier, hangzhou, chengdu, active=False)
    assert ask(merchant, hangzhou, chengdu).unavailable[0].code == "not_offered"


def test_quote_within_one_city_is_allowed_where_it_is_offered(
    merchant: Actor, courier_organisation: Organisation, hangzhou: City
) -> None:
    offer(courier_organisation, hangzhou, hangzhou, tier="same_day")
    [quoted_offer] = ask(merchant, hangzhou, hangzhou, tier="same_day", at=today_at(10)).offers
    assert quoted_offer.promise.deliver_by == today_at(22)


@pytest.mark.parametrize("changes", [{"weight_g": 0}, {"weight_g": -5}])
def test_quote_without_weight_is_refused(
    merchant: Actor, hangzhou: City, chengdu: City, changes: dict
) -> None:
    with pytest.raises(InvalidInput) as error:
        ask(merchant, hangzhou, chengdu, **changes)
    assert error.value.errors[0].pointer == "/weight_g"


def test_quote_is_for_merchants(courier: Actor, hangzhou: City, chengdu: City) -> None:
    with pytest.raises(NotPermitted):
        ask(courier, hangzhou, chengdu)


# --- closures ---------------------------------------------------------------------------------


def test_closure_announced_moves_the_next_quote(
    merchant: Actor, courier_organisation: Organisation, hangzhou: City, chengdu: City
) -> None:
    offer(courier_organisation, hangzhou, chengdu)
    assert ask(merchant, hangzhou, chengdu).offers[0].promise.effective_date == TODAY
    Closure.objects.create(date=TODAY, country="CN", city=hangzhou, name="Typhoon", announced_at=NOON)
    assert ask(merchant, hangzhou, chengdu).offers[0].promise.effective_date == TOMORROW


def test_unannounced_closure_does_not_affect_quotes(
    merchant: Actor, courier_organisation: Organisation, hangzhou: City, chengdu: City
) -> None:
    offer(courier_organisation, hangzhou, chengdu)
    later = NOON + timedelta(minutes=1)
    Closure.objects.create(date=TODAY, country="CN", city=hangzhou, name="Typhoon", announced_at=later)
    assert ask(merchant, hangzhou, chengdu).offers[0].promise.effective_date == TODAY


def test_standard_rests_on_a_public_holiday_and_next_day_does_not(
    merchant: Actor, courier_organisation: Organisation, hangzhou: City, chengdu: City
) -> None:
    for tier in ("standard", "next_day"):
        offer(courier_organisation, hangzhou, chengdu, tier=tier)
    Closure.objects.create(
        date=TODAY, country="CN", name="Holiday", is_public_holiday=True, announced_at=NOON
    )
    days = {
        quoted_offer.tier.code: quoted_offer.promise.effective_date
        for quoted_offer in ask(merchant, hangzhou, chengdu, tier="").offers
    }
    assert days == {"next_day": TODAY, "standard": TOMORROW}


# --- rank -------------------------------------------------------------------------------------


def test_record_of_the_last_30_days_ranks_the_proven_courier_first(
    merchant: Actor,
    courier_organisation: Organisation,
    rival_courier: Organisation,
    hangzhou: City,
    chengdu: City,
) -> None:
    lucky = offer(courier_organisation, hangzhou, chengdu, price_fen=900)
    proven = offer(rival_courier, hangzhou, chengdu, price_fen=1500)
    record(lucky, TODAY, met=3)
    record(proven, TODAY, met=980, late=10, overdue=10)
    record(proven, TODAY - timedelta(days=30), late=5_000)
    first, second = ask(merchant, hangzhou, chengdu).offers
    assert (first.offer.offer_id, second.offer.offer_id) == (proven.pk, lucky.pk)
    assert first.record == Record(met=980, late=10, overdue=10)
    assert first.record.lower_bound == pytest.approx(0.9694, abs=1e-3)
    assert (first.reason, second.recommended) == (Reason.ON_TIME, False)


def test_newcomers_rank_above_the_proven_bad_and_by_price_among_themselves(
    merchant: Actor,
    courier_organisation: Organisation,
    rival_courier: Organisation,
    hangzhou: City,
    chengdu: City,
) -> None:
    bad = offer(courier_organisation, hangzhou, chengdu, price_fen=100)
    dear = offer(rival_courier, hangzhou, chengdu, price_fen=1300)
    cheap = offer(factories.courier_organisation(name="New"), hangzhou, chengdu, price_fen=1200)
    record(bad, TODAY, met=50, late=50)
    result = ask(merchant, hangzhou, chengdu).offers
    assert [item.offer.offer_id for item in result] == [cheap.pk, dear.pk, bad.pk]
    assert result[0].reason is Reason.PRICE


def test_excused_breaches_are_left_out_of_the_record() -> None:
    assert Record(met=90, late=10, excused=10).rate == 1
    assert Record(met=90, late=10, excused=10).n == 90


@pytest.mark.parametrize(
    ("better", "worse"),
    [
        (Record(met=10), NO_RECORD),
        (NO_RECORD, Record(late=1)),
        (Record(met=1_000), Record(met=30)),
        (Record(met=29, late=1), Record(met=28, late=2)),
    ],
)
def test_score_orders_records(better: Record, worse: Record) -> None:
    assert better.score > worse.score


# --- grades -----------------------------------------------------------------------------------


def grade(organisation: Organisation, to: Grade) -> None:
    with scope(Scope.everything()):
        Courier.objects.filter(pk=organisation.pk).update(grade=to)


def test_of_equal_records_the_better_grade_is_recommended_before_the_cheaper(
    merchant: Actor,
    courier_organisation: Organisation,
    rival_courier: Organisation,
    hangzhou: City,
    chengdu: City,
) -> None:
    golden = offer(courier_organisation, hangzhou, chengdu, price_fen=1500)
    cheap = offer(rival_courier, hangzhou, chengdu, price_fen=900)
    assert ask(merchant, hangzhou, chengdu).offers[0].offer.offer_id == cheap.pk
    grade(courier_organisation, Grade.GOLD)
    first, second = ask(merchant, hangzhou, chengdu).offers
    assert (first.offer.offer_id, first.grade, first.reason) == (golden.pk, Grade.GOLD, Reason.GRADE)
    assert (second.grade, second.reason) == (Grade.MEMBER, None)


def test_a_courier_on_probation_comes_last_and_can_still_be_had(
    merchant: Actor,
    courier_organisation: Organisation,
    rival_courier: Organisation,
    hangzhou: City,
    chengdu: City,
) -> None:
    cheap = offer(courier_organisation, hangzhou, chengdu, price_fen=100)
    bad = offer(rival_courier, hangzhou, chengdu, price_fen=1500)
    record(cheap, TODAY, met=500)
    record(bad, TODAY, met=50, late=50)
    grade(courier_organisation, Grade.PROBATION)
    first, last = ask(merchant, hangzhou, chengdu).offers
    assert (first.offer.offer_id, first.reason) == (bad.pk, Reason.NOT_ON_PROBATION)
    assert (last.offer.offer_id, last.places_left) == (cheap.pk, 20)
    # Alone with room, it is what a booking takes.
    fill(bad, TODAY)
    [best] = [
        quoted_offer for quoted_offer in ask(merchant, hangzhou, chengdu).offers if quoted_offer.recommended
    ]
    assert (best.offer.offer_id, best.reason) == (cheap.pk, Reason.ONLY_ROOM)


# --- full -------------------------------------------------------------------------------------


def test_full_courier_names_the_alternative_and_the_day(
    merchant: Actor,
    courier_organisation: Organisation,
    rival_courier: Organisation,
    hangzhou: City,
    chengdu: City,
) -> None:
    best = offer(courier_organisation, hangzhou, chengdu, price_fen=900)
    other = offer(rival_courier, hangzhou, chengdu, price_fen=1500)
    fill(best, TODAY)
    by_offer = {
        quoted_offer.offer.offer_id: quoted_offer for quoted_offer in ask(merchant, hangzhou, chengdu).offers
    }
    full = by_offer[best.pk]
    assert full.full_on == (TODAY,)
    assert full.promise.effective_date == TOMORROW
    assert full.places_left == 20
    assert full.next_courier == rival_courier.public_id
    assert not full.recommended
    assert by_offer[other.pk].recommended
    assert by_offer[other.pk].reason is Reason.ONLY_ROOM


def test_all_couriers_full_recommends_the_best_of_the_next_day(
    merchant: Actor,
    courier_organisation: Organisation,
    rival_courier: Organisation,
    hangzhou: City,
    chengdu: City,
) -> None:
    cheap = offer(courier_organisation, hangzhou, chengdu, price_fen=900)
    fill(cheap, TODAY)
    fill(offer(rival_courier, hangzhou, chengdu, price_fen=1500), TODAY)
    [best] = [
        quoted_offer for quoted_offer in ask(merchant, hangzhou, chengdu).offers if quoted_offer.recommended
    ]
    assert best.offer.offer_id == cheap.pk
    assert best.promise.requested_date == TODAY
    assert best.promise.rolled_days == 1
    assert best.next_courier == ""


def test_full_for_all_days_is_full(
    merchant: Actor, courier_organisation: Organisation, hangzhou: City, chengdu: City
) -> None:
    sold = offer(courier_organisation, hangzhou, chengdu)
    for days in range(8):
        fill(sold, TODAY + timedelta(days=days))
    [quoted_offer] = ask(merchant, hangzhou, chengdu).offers
    assert quoted_offer.is_full
    assert len(quoted_offer.full_on) == 8
    assert not quoted_offer.recommended


@pytest.mark.parametrize("couriers", [1, 3])
def test_quote_costs_the_same_statements_however_many_offer(
    merchant: Actor, hangzhou: City, chengdu: City, couriers: int, django_assert_num_queries: object
) -> None:
    for number in range(couriers):
        offer(factories.courier_organisation(name=f"Courier {number}"), hangzhou, chengdu)
    ask(merchant, hangzhou, chengdu)
    request = QuoteRequest(hangzhou, chengdu, 500, NOON, "next_day")
    # What is on sale, and the places left.
    with scope(Scope.of(merchant)), django_assert_num_queries(2):  # type: ignore[operator]
        quote(actor=merchant, request=request, at=NOON)
