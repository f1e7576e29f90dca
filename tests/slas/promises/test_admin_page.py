"""The admin page "What would have been promised", and its answers."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.test import Client

from alliance.errors import InvalidInput, NotFound, NotPermitted
from alliance.models import City
from alliance.tenancy import ANONYMOUS, Actor
from slas.models import Closure, ServiceTier, TierVersion
from slas.promises.replays import Answer, Question, find_tier, replay_booking, would_promise

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("everything")]
PAGE = "/admin/slas/tierversion/promised/"
SHANGHAI = ZoneInfo("Asia/Shanghai")
BOOKED = datetime(2026, 9, 30, 17, 40, tzinfo=SHANGHAI)
DAY = timedelta(days=1)


@pytest.fixture
def tier() -> ServiceTier:
    """The next-day tier with three versions: 1 day, 2 days from September, noon cut-off from November."""
    tier = ServiceTier.objects.get(code="next_day")
    first = tier.versions.get()
    changes = [
        (2, datetime(2026, 9, 1, tzinfo=SHANGHAI), {"days_in_transit": 2}),
        (
            3,
            datetime(2026, 11, 1, tzinfo=SHANGHAI),
            {"cut_offs": {str(day): {"time": "12:00", "day_offset": 0} for day in range(7)}},
        ),
    ]
    for number, valid_from, fields in changes:
        values = {
            name: getattr(first, name)
            for name in ("cut_offs", "pickup_by", "deliver_by", "days_in_transit", "delivery_weekdays",
                         "works_on_holidays", "weight_bands")
        }  # fmt: skip
        TierVersion.objects.create(tier=tier, number=number, valid_from=valid_from, **{**values, **fields})
    Closure.objects.all().delete()
    return tier


def close(city: City, day: date, *, announced: datetime = BOOKED - DAY, **fields: object) -> Closure:
    values = {"name": "Typhoon Bebinca", "country": city.country, "province": city.province_en, **fields}
    return Closure.objects.create(date=day, city=city, announced_at=announced, **values)


def ask(actor: Actor, tier: ServiceTier, origin: City, destination: City, **given: object) -> list[Answer]:
    version_id = given.pop("version_id", None)
    moments = {"booked_at": BOOKED, "ready_at": BOOKED, "known_at": BOOKED, **given}
    question = Question(origin, destination, **moments)  # type: ignore[arg-type]
    return would_promise(actor=actor, question=question, tier_id=tier.pk, version_id=version_id)  # type: ignore[arg-type]


def asked(client: Client, **given: object) -> tuple[int, str]:
    query = {
        "origin": "Hangzhou", "destination": "Chengdu", "tier": ServiceTier.objects.get(code="next_day").pk,
        "booked_at": "2026-09-30T17:40", **given,
    }  # fmt: skip
    response = client.get(PAGE, {name: value for name, value in query.items() if value is not ...})
    return response.status_code, response.content.decode()


# --- the answers ------------------------------------------------------------------------------


def test_every_version_answers_and_the_one_in_force_is_named(
    system: Actor, tier: ServiceTier, hangzhou: City, chengdu: City
) -> None:
    answers = ask(system, tier, hangzhou, chengdu)
    assert [
        (item.version.number, item.is_in_force, item.promise and f"{item.promise.deliver_by:%m-%d %H:%M}")
        for item in answers
    ] == [(2, True, "10-02 20:00"), (3, False, "10-02 20:00"), (1, False, "10-01 20:00")]
    assert [item.promise and item.promise.version for item in answers] == [2, 3, 1]


def test_question_to_one_version_has_one_answer(
    system: Actor, tier: ServiceTier, hangzhou: City, chengdu: City
) -> None:
    version = tier.versions.get(number=3)
    [answer] = ask(system, tier, hangzhou, chengdu, version_id=version.pk)
    assert answer.version == version
    with pytest.raises(NotFound):
        ask(system, tier, hangzhou, chengdu, version_id=0)


def test_closures_count_that_were_announced_by_then(
    system: Actor, tier: ServiceTier, hangzhou: City, chengdu: City
) -> None:
    close(chengdu, date(2026, 10, 1), announced=BOOKED + timedelta(hours=1))
    then = ask(system, tier, hangzhou, chengdu)[0]
    known = ask(system, tier, hangzhou, chengdu, known_at=BOOKED + timedelta(hours=1))[0]
    assert then.promise is not None
    assert known.promise is not None
    assert known.promise.deliver_by - then.promise.deliver_by == DAY


def test_version_without_promise_has_a_reason(
    system: Actor, tier: ServiceTier, hangzhou: City, chengdu: City
) -> None:
    TierVersion.objects.filter(tier=tier, number=3).update(cut_offs={})
    answer = ask(system, tier, hangzhou, chengdu)[1]
    assert (answer.promise, answer.refusal) == (None, "This service does not run on any day of the week")


def test_version_that_makes_no_sense_does_not_spoil_the_others(
    system: Actor, tier: ServiceTier, hangzhou: City, chengdu: City
) -> None:
    TierVersion.objects.filter(tier=tier, number=3).update(pickup_by=time(9))
    answers = ask(system, tier, hangzhou, chengdu)
    assert [bool(item.promise) for item in answers] == [True, False, True]
    assert answers[1].refusal == "The rules of this version are not valid."


@pytest.mark.parametrize(
    ("changes", "pointer", "code"),
    [
        ({"booked_at": datetime(2026, 9, 30, 17, 40)}, "/booked_at", "naive"),  # noqa: DTZ001 -- what is refused
        ({"booked_at": datetime(1999, 1, 1, tzinfo=UTC)}, "/booked_at", "range"),
        ({"ready_at": datetime(2999, 1, 1, tzinfo=UTC)}, "/ready_at", "range"),
        ({"known_at": datetime(1, 1, 1, tzinfo=UTC)}, "/known_at", "range"),
        ({"ready_at": BOOKED - timedelta(seconds=1)}, "/ready_at", "order"),
        ({"ready_at": BOOKED + 31 * DAY}, "/ready_at", "too_far_ahead"),
    ],
)
def test_moments_that_cannot_be_are_refused(
    system: Actor, tier: ServiceTier, hangzhou: City, chengdu: City, changes: dict, pointer: str, code: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        ask(system, tier, hangzhou, chengdu, **changes)
    assert [(error.pointer, error.code) for error in refused.value.errors] == [(pointer, code)]


def test_members_may_ask_and_strangers_may_not(
    courier: Actor, merchant: Actor, tier: ServiceTier, hangzhou: City, chengdu: City
) -> None:
    assert len(ask(courier, tier, hangzhou, chengdu)) == 3
    assert len(ask(merchant, tier, hangzhou, chengdu)) == 3
    with pytest.raises(NotPermitted):
        ask(ANONYMOUS, tier, hangzhou, chengdu)


def test_unknown_tier_is_refused() -> None:
    with pytest.raises(InvalidInput):
        find_tier("overnight")


def test_booking_is_worked_out_again_only_when_it_comes_out_the_same(
    system: Actor, tier: ServiceTier, hangzhou: City, chengdu: City
) -> None:
    version = tier.versions.get(number=1)
    question = Question(hangzhou, chengdu, BOOKED, BOOKED, BOOKED)
    today, tomorrow = BOOKED.replace(hour=20, minute=0), BOOKED.replace(hour=20, minute=0) + DAY
    outcome = replay_booking(version=version, question=question, pickup_by=today, deliver_by=tomorrow)
    assert outcome is not None
    assert outcome.rolled_days == 0
    # Full on the first day: it was booked for the next.
    later = replay_booking(version=version, question=question, pickup_by=tomorrow, deliver_by=tomorrow + DAY)
    assert later is not None
    assert later.rolled_days == 1
    other = tomorrow + timedelta(minutes=1)
    assert replay_booking(version=version, question=question, pickup_by=today, deliver_by=other) is None


# --- the page ---------------------------------------------------------------------------------


def test_page_explains_a_promise_step_by_step(
    staff_client: Client, tier: ServiceTier, hangzhou: City, chengdu: City
) -> None:
    close(chengdu, date(2026, 10, 1), name="National Day")
    status, page = asked(staff_client, version=2)
    assert status == 200
    story = [
        "Booked Wed 30 Sep 2026 17:40, Hangzhou time.",
        "In time for the cut-off in Hangzhou, 18:00, so pickup is on Wed 30 Sep 2026.",
        "Picked up in Hangzhou by Wed 30 Sep 2026 20:00.",
        "Chengdu is 2 days away.",
        "Chengdu is closed on Thu 1 Oct 2026 (National Day).",
        "Delivered in Chengdu by Sat 3 Oct 2026 20:00.",
    ]
    positions = [page.find(sentence) for sentence in story]
    assert -1 not in positions
    assert positions == sorted(positions)


def test_page_shows_all_versions_side_by_side(staff_client: Client, tier: ServiceTier) -> None:
    _status, page = asked(staff_client)
    assert page.count("<article") == 3
    assert page.count("in force when booked") == 1
    assert "The versions promise different times." in page
    assert "The cut-off in Hangzhou for pickup on Wed 30 Sep 2026 has passed: it was 12:00." in page


def test_page_asks_before_it_answers(staff_client: Client) -> None:
    response = staff_client.get(PAGE)
    assert response.status_code == 200
    assert "<article" not in response.content.decode()


def test_time_with_an_offset_keeps_it(staff_client: Client, tier: ServiceTier) -> None:
    _status, page = asked(staff_client, version=1, booked_at="2026-09-30T09:40+00:00")
    assert "Booked Wed 30 Sep 2026 17:40, Hangzhou time." in page


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"origin": "Atlantis"}, "Unknown city"),
        ({"destination": ...}, "This field is required"),
        ({"booked_at": "yesterday"}, "Enter a day and a time"),
        ({"booked_at": ""}, "This field is required"),
        ({"booked_at": "0001-01-01T00:00"}, "Choose a day from 2016 to 2084."),
        ({"booked_at": "9999-12-31T23:59"}, "Choose a day from 2016 to 2084."),
        ({"ready_at": "2026-09-30T17:39"}, "The ready time must not be before the booking."),
        ({"ready_at": "2026-12-30T17:39"}, "Book at most 30 days ahead."),
        ({"known_at": "2026-13-01"}, "Enter a day and a time"),
        ({"tier": "999"}, "Select a valid choice"),
        ({"version": "99"}, "This tier has no version with that number."),
        ({"version": "0"}, "greater than or equal to 1"),
    ],
)
def test_questions_that_cannot_be_are_explained(
    staff_client: Client, tier: ServiceTier, changes: dict, message: str
) -> None:
    status, page = asked(staff_client, **changes)
    assert status == 422
    assert message in page
    assert "<article" not in page


def test_page_is_linked_from_the_versions_and_the_menu(staff_client: Client, tier: ServiceTier) -> None:
    listing = staff_client.get("/admin/slas/tierversion/").content.decode()
    # Once above the list, once in the menu.
    assert listing.count(f'href="{PAGE}"') >= 2
    version = tier.versions.get(number=2)
    leads = staff_client.get(f"/admin/slas/tierversion/{version.pk}/promised-by/")
    assert leads["Location"].startswith(f"{PAGE}?")
    assert f"tier={tier.pk}&version=2" in leads["Location"]
    assert staff_client.get(leads["Location"]).content.decode().count("<article") == 1


def test_members_do_not_come_in(courier_client: Client) -> None:
    assert courier_client.get(PAGE)["Location"].startswith("/admin/login/")
