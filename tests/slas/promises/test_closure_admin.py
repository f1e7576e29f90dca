"""The admin of closures: declaring, finding, withdrawing, loading public holidays."""

from datetime import date, time, timedelta

import pytest
from django.test import Client
from django.utils import timezone

from alliance.models import AuditEntry, City
from alliance.tenancy import Scope, scope
from slas.choices import ClosureSide
from slas.models import Closure
from slas.promises.texts import day_text
from slas.promises.tiers_in_force import calendar_at, place_of

pytestmark = pytest.mark.django_db
CLOSURES = "/admin/slas/closure/"
DAY = timedelta(days=1)
TOMORROW = timezone.localdate() + DAY


def typhoon(**fields: object) -> dict[str, object]:
    return {
        "name": "Typhoon Bebinca", "first": TOMORROW, "last": "", "starts": "", "ends": "", "side": "both",
        "city": "Hangzhou", "province": "", "country": "cn", "announced_at": "", **fields,
    }  # fmt: skip


def declared() -> list[Closure]:
    return list(Closure.objects.filter(is_public_holiday=False).order_by("date", "pk"))


def verbs() -> list[str]:
    with scope(Scope.everything()):
        return list(AuditEntry.objects.order_by("pk").values_list("verb", flat=True))


# --- declaring --------------------------------------------------------------------------------


def test_a_closure_is_declared_for_each_day_and_audited(staff_client: Client, hangzhou: City) -> None:
    response = staff_client.post(f"{CLOSURES}add/", typhoon(last=TOMORROW + DAY))
    assert response["Location"] == CLOSURES
    assert [(row.date, row.city, row.country) for row in declared()] == [
        (TOMORROW, hangzhou, "CN"),
        (TOMORROW + DAY, hangzhou, "CN"),
    ]
    assert verbs().count("closure.declared") == 2


def test_hours_are_declared_for_each_day(staff_client: Client) -> None:
    staff_client.post(f"{CLOSURES}add/", typhoon(last=TOMORROW + DAY, starts="14:00", ends="18:00"))
    assert [(row.date, row.starts, row.ends) for row in declared()] == [
        (TOMORROW, time(14), time(18)),
        (TOMORROW + DAY, time(14), time(18)),
    ]
    page = staff_client.get(CLOSURES).content.decode()
    assert page.count("14:00–18:00") == 2
    assert "Hangzhou, Zhejiang" in page


def test_a_closure_can_be_announced_later_on(staff_client: Client, hangzhou: City) -> None:
    later = timezone.localtime() + timedelta(hours=6)
    staff_client.post(f"{CLOSURES}add/", typhoon(announced_at=f"{later:%Y-%m-%dT%H:%M}"))
    [closure] = declared()
    assert closure.announced_at == later.replace(second=0, microsecond=0)
    place = place_of(hangzhou)
    assert not calendar_at(timezone.now()).closure(place, TOMORROW, ClosureSide.ORIGIN, True)
    assert "Typhoon Bebinca" in staff_client.get(f"{CLOSURES}?state=announced_later").content.decode()


def test_promises_go_round_a_closed_province(staff_client: Client, hangzhou: City, chengdu: City) -> None:
    staff_client.post(f"{CLOSURES}add/", typhoon(city="", province="Zhejiang", side="destination"))
    calendar = calendar_at(timezone.now())
    here, elsewhere = place_of(hangzhou), place_of(chengdu)
    assert calendar.closure(here, TOMORROW, ClosureSide.DESTINATION, works_on_holidays=True)
    assert not calendar.closure(here, TOMORROW, ClosureSide.ORIGIN, works_on_holidays=True)
    assert not calendar.closure(elsewhere, TOMORROW, ClosureSide.DESTINATION, works_on_holidays=True)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"name": " "}, "This field is required"),
        ({"first": "2026-02-30"}, "Enter a valid date"),
        ({"first": ""}, "This field is required"),
        ({"last": TOMORROW - DAY}, "The last day is before the first."),
        ({"last": TOMORROW + 31 * DAY}, "at most 31 days"),
        ({"first": "2999-01-01"}, "three years ahead"),
        ({"starts": "25:00"}, "Enter a valid time"),
        ({"starts": "18:00", "ends": "18:00"}, "Start and end are the same"),
        ({"city": "Atlantis"}, "Unknown city"),
        ({"city": "Hangzhou\0"}, "Null characters are not allowed"),
        ({"province": "Sichuan"}, "Hangzhou is in Zhejiang."),
        ({"country": "JP"}, "Hangzhou is not in that country."),
        ({"city": "", "province": "Nowhere"}, "Unknown province"),
        ({"city": "", "province": "Zhejang"}, "Did you mean: Zhejiang"),
        ({"city": "", "country": "XX"}, "That country has no such city"),
        ({"side": "left"}, "Select a valid choice"),
        ({"announced_at": "2020-01-01T00:00"}, "did not take it into account"),
    ],
)
def test_closures_that_cannot_be_are_explained(
    staff_client: Client, fields: dict[str, object], message: str
) -> None:
    response = staff_client.post(f"{CLOSURES}add/", typhoon(**fields))
    assert response.status_code == 422
    assert message in response.content.decode()
    assert declared() == []


def test_a_closure_declared_already_is_explained(staff_client: Client) -> None:
    staff_client.post(f"{CLOSURES}add/", typhoon())
    response = staff_client.post(f"{CLOSURES}add/", typhoon(last=TOMORROW + DAY))
    assert response.status_code == 422
    assert f"This closure is already declared for {day_text(TOMORROW)}." in response.content.decode()
    assert len(declared()) == 1


def test_a_closure_is_not_edited(staff_client: Client) -> None:
    staff_client.post(f"{CLOSURES}add/", typhoon())
    [closure] = declared()
    page = staff_client.get(f"{CLOSURES}{closure.pk}/change/").content.decode()
    assert "all day" in page
    assert staff_client.post(f"{CLOSURES}{closure.pk}/change/", {"name": "Sunshine"}).status_code == 403
    assert declared()[0].name == "Typhoon Bebinca"


# --- finding ----------------------------------------------------------------------------------


@pytest.fixture
def some(hangzhou: City) -> None:
    Closure.objects.all().delete()
    values = {"date": TOMORROW, "country": "CN"}
    Closure.objects.create(**values, name="Of the country")
    Closure.objects.create(**values, name="Of the province", province="Zhejiang", side="origin")
    Closure.objects.create(**values, name="Of the city", city=hangzhou, province="Zhejiang")
    Closure.objects.create(**values, name="Of the evening", starts=time(18))
    Closure.objects.create(date=TOMORROW - 9 * DAY, country="CN", name="Of last week")
    Closure.objects.create(**values, name="Withdrawn", withdrawn_at=timezone.now())
    Closure.objects.create(**values, name="Of the year", is_public_holiday=True)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", 7),
        ("state=ahead", 5),
        ("state=standing", 6),
        ("state=withdrawn", 1),
        ("state=announced_later", 0),
        ("extent=country", 5),
        ("extent=province", 1),
        ("extent=city", 1),
        ("extent=hours", 1),
        ("is_public_holiday__exact=1", 1),
        ("side__exact=origin", 1),
        ("q=province", 1),
    ],
)
def test_closures_are_filtered_by_state_and_extent(
    some: None, staff_client: Client, query: str, found: int
) -> None:
    page = staff_client.get(f"{CLOSURES}?{query}").content.decode()
    names = ("Of the country", "Of the province", "Of the city", "Of the evening", "Of last week",
             "Withdrawn</", "Of the year")  # fmt: skip
    assert sum(name in page.partition('id="result_list"')[2] for name in names) == found


# --- taking back ------------------------------------------------------------------------------


def test_withdrawn_closure_is_kept(staff_client: Client) -> None:
    staff_client.post(f"{CLOSURES}add/", typhoon())
    [closure] = declared()
    page = staff_client.get(f"{CLOSURES}{closure.pk}/delete/").content.decode()
    assert "Promises made in the meantime do not change" in page
    response = staff_client.post(f"{CLOSURES}{closure.pk}/delete/", {"post": "yes"}, follow=True)
    assert "was withdrawn." in response.content.decode()
    [closure] = declared()
    assert closure.withdrawn_at is not None
    assert staff_client.post(f"{CLOSURES}{closure.pk}/delete/", {"post": "yes"}).status_code == 403
    with scope(Scope.everything()):
        entry = AuditEntry.objects.get(verb="closure.withdrawn")
    assert (entry.object_id, entry.actor_label) == (str(closure.pk), "staff@alliance.example")


def test_several_closures_are_withdrawn_at_once(staff_client: Client) -> None:
    staff_client.post(f"{CLOSURES}add/", typhoon(last=TOMORROW + DAY))
    query = {"action": "withdraw_chosen", "_selected_action": [closure.pk for closure in declared()]}
    page = staff_client.post(CLOSURES, query).content.decode()
    assert page.count("Typhoon Bebinca") == 2
    assert [row.withdrawn_at for row in declared()] == [None, None]
    staff_client.post(CLOSURES, {**query, "post": "yes"})
    assert None not in [row.withdrawn_at for row in declared()]
    assert verbs().count("closure.withdrawn") == 2
    second_page = staff_client.post(CLOSURES, query).content.decode()
    assert "All of these are already withdrawn." in second_page


# --- public holidays --------------------------------------------------------------------------


def test_a_year_of_public_holidays_is_loaded(staff_client: Client) -> None:
    Closure.objects.all().delete()
    assert "published schedule up to" in staff_client.get(f"{CLOSURES}holidays/").content.decode()
    response = staff_client.post(f"{CLOSURES}holidays/", {"first_year": "2026"}, follow=True)
    assert "days added, 0 withdrawn, 0 kept." in response.content.decode()
    days = Closure.objects.filter(is_public_holiday=True)
    assert {row.date.year for row in days} == {2026}
    assert days.filter(date=date(2026, 10, 1), name="National Day").exists()
    assert "holidays.loaded" in verbs()


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"first_year": ""}, "This field is required"),
        ({"first_year": "next"}, "Enter a whole number"),
        ({"first_year": "1850"}, "Years must be from 2004 to 2085."),
        ({"first_year": "2026", "last_year": "2025"}, "The last year must not be before the first"),
        ({"first_year": "2026", "last_year": "99999"}, "nor after 2085"),
    ],
)
def test_years_that_cannot_be_are_explained(staff_client: Client, fields: dict, message: str) -> None:
    response = staff_client.post(f"{CLOSURES}holidays/", fields)
    assert response.status_code == 422
    assert message in response.content.decode()


def test_the_list_leads_to_the_public_holidays(staff_client: Client) -> None:
    assert f'href="{CLOSURES}holidays/"' in staff_client.get(CLOSURES).content.decode()


def test_members_do_not_come_in(courier_client: Client) -> None:
    for address in (CLOSURES, f"{CLOSURES}add/", f"{CLOSURES}holidays/"):
        assert courier_client.get(address)["Location"].startswith("/admin/login/")
