"""The dashboard of couriers and merchants: figures, first steps of new members, refresh."""

import re

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from alliance.choices import Role
from alliance.models import Organisation
from alliance.tenancy import Scope, scope
from parcels.portal import dashboard
from slas.models import Offer, OnTimeRate
from tests import factories
from tests.parcels.helpers.parcels import booked_parcels
from tests.slas.helpers.commitments import DAY, HOUR, Lane, lane
from tests.slas.helpers.records import YESTERDAY, catch_up, judge_yesterday, promise, put_on_sale

pytestmark = pytest.mark.django_db
URL = "/dashboard/"


@pytest.fixture
def route(merchant_organisation: Organisation, courier_organisation: Organisation) -> Lane:
    return lane(merchant_organisation, courier_organisation)


@pytest.fixture
def judged(route: Lane) -> Lane:
    judge_yesterday(route)
    put_on_sale(route)
    return route


def cards(client: Client) -> dict[str, str]:
    return {card.label: card.value for card in client.get(URL).context["cards"]}


def test_courier_sees_due_and_overdue_counts(judged: Lane, courier_client: Client) -> None:
    assert cards(courier_client) == {
        "Pickups due today": "1",
        "Deliveries due today": "0",
        "Deliveries overdue now": "1",
        "Pickups overdue now": "0",
    }


def test_merchant_sees_todays_bookings(judged: Lane, merchant_client: Client) -> None:
    booked_parcels(judged.merchant, judged.courier, booked_at=timezone.now(), count=3)
    booked_parcels(judged.merchant, judged.courier, booked_at=timezone.now() - 2 * DAY)
    cards_by_label = cards(merchant_client)
    assert cards_by_label["Booked today"] == "3"
    assert cards_by_label["Deliveries overdue now"] == "1"


def test_count_of_todays_bookings_has_a_limit(
    judged: Lane, merchant_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dashboard, "MOST_COUNTED", 2)
    booked_parcels(judged.merchant, judged.courier, booked_at=timezone.now(), count=3)
    assert cards(merchant_client)["Booked today"] == "over 2"


def test_cards_link_to_the_lists_they_count(judged: Lane, merchant_client: Client) -> None:
    page = merchant_client.get(URL).content.decode()
    today = timezone.localdate()
    assert f'href="/parcels/?booked_from={today}&amp;booked_to={today}"' in page
    assert 'href="/breaches/?state=missing&amp;kind=delivery"' in page
    assert merchant_client.get(f"/parcels/?booked_from={today}&booked_to={today}").status_code == 200


@pytest.mark.parametrize("who", ["courier_client", "merchant_client"])
@pytest.mark.parametrize("days", [7, 30])
def test_raw_and_accountable_rates_are_shown_for_a_period(
    judged: Lane, who: str, days: int, request: pytest.FixtureRequest
) -> None:
    response = request.getfixturevalue(who).get(URL, {"days": days})
    delivered, picked = (card.row for card in response.context["rates"])
    assert (delivered.n, delivered.raw, delivered.accountable, delivered.excused) == (6, 0.5, 0.6, 1)
    assert delivered.provisional
    assert (picked.n, picked.raw, picked.pending) == (1, 1.0, 1)
    assert response.context["rates"][0].query == f"?period={days}&kind=delivery"
    page = response.content.decode()
    for text in ("50.00\N{NO-BREAK SPACE}%", "60.00\N{NO-BREAK SPACE}%", "n = 6", "1 exempt", "provisional"):
        assert text in page


def test_trend_has_a_chart_and_a_table_of_30_days(judged: Lane, courier_client: Client) -> None:
    response = courier_client.get(URL)
    trend = response.context["trend"]
    assert (len(trend.categories), trend.counts[-2], trend.provisional_from) == (30, 6, 22)
    page = response.content.decode()
    assert 'data-chart="line"' in page
    assert "js/charts.min.js" in page


def test_courier_sees_lanes_and_merchant_sees_couriers(
    judged: Lane, courier_client: Client, merchant_client: Client
) -> None:
    [only] = courier_client.get(URL).context["ends"].best
    assert (only.name, only.row.n, only.row.is_few) == ("Hangzhou → Chengdu", 6, True)
    [only] = merchant_client.get(URL).context["ends"].best
    assert only.name == "Swift Express"
    assert ">few<" in merchant_client.get(URL).content.decode()


def test_new_courier_is_asked_to_add_an_offer(courier_client: Client) -> None:
    page = courier_client.get(URL).content.decode()
    assert "Put your first lane on sale" in page
    assert 'href="/offers/new/"' in page
    assert "dashboard-figures" not in page


def test_new_merchant_is_asked_to_book(merchant_client: Client) -> None:
    page = merchant_client.get(URL).content.decode()
    assert "Book your first parcel" in page
    assert f'href="{reverse("parcels:quote_create")}"' in page


def test_new_members_without_the_capability_get_no_button(courier_organisation: Organisation) -> None:
    client = Client()
    viewer = factories.member_user("viewer@alliance.example", courier_organisation, Role.VIEWER)
    client.force_login(viewer, backend="django.contrib.auth.backends.ModelBackend")
    page = client.get(URL).content.decode()
    assert "Put your first lane on sale" in page
    assert "/offers/new/" not in page


def test_courier_with_offers_sees_figures_before_its_first_parcel(
    route: Lane, courier_client: Client
) -> None:
    put_on_sale(route)
    page = courier_client.get(URL).content.decode()
    assert "dashboard-figures" in page
    assert "No data for this period yet" in page


def test_courier_with_history_but_no_offers_sees_a_reminder(judged: Lane, courier_client: Client) -> None:
    with scope(Scope.everything()):
        Offer.objects.update(active=False)
    response = courier_client.get(URL)
    assert response.context["missing"] == "offers"
    assert "You have no lane on sale" in response.content.decode()


def test_refresh_returns_only_the_figures(judged: Lane, courier_client: Client) -> None:
    response = courier_client.get(URL, HTTP_HX_REQUEST="true")
    page = response.content.decode()
    assert page.lstrip().startswith('<div id="dashboard-figures"')
    assert 'hx-trigger="every 60s, refresh"' in page
    assert "<html" not in page
    # The back button must not show the fragment as a page.
    assert "no-store" in response["Cache-Control"]


def test_figures_of_other_organisations_are_not_shown(judged: Lane, rival_courier: Organisation) -> None:
    client = Client()
    outsider = factories.member_user("rival@alliance.example", rival_courier)
    client.force_login(outsider, backend="django.contrib.auth.backends.ModelBackend")
    assert client.get(URL).context["missing"] == "everything"


def test_ops_are_redirected_to_the_admin_and_anonymous_users_to_log_in(ops_client: Client) -> None:
    assert ops_client.get(URL)["Location"] == "/admin/"
    assert Client().get(URL)["Location"].startswith("/accounts/login/")


def test_applicants_have_no_dashboard(courier_organisation: Organisation, courier_client: Client) -> None:
    with scope(Scope.everything()):
        Organisation.objects.filter(pk=courier_organisation.pk).update(status="applicant")
    assert courier_client.get(URL).status_code == 403


@pytest.mark.parametrize(("who", "queries"), [("courier_client", 23), ("merchant_client", 22)])
def test_query_count_does_not_depend_on_parcels(
    judged: Lane,
    who: str,
    queries: int,
    request: pytest.FixtureRequest,
    django_assert_num_queries: object,
) -> None:
    client = request.getfixturevalue(who)
    with django_assert_num_queries(queries):
        client.get(URL)
    with scope(Scope.everything()):
        for back in range(1, 20):
            promise(judged, YESTERDAY - back * DAY, late=HOUR)
            promise(judged, YESTERDAY - back * DAY, late=None, destination_id=judged.origin.pk)
    booked_parcels(judged.merchant, judged.courier, booked_at=timezone.now(), count=5)
    catch_up()
    with scope(Scope.everything()):
        assert OnTimeRate.objects.count() > 40
    with django_assert_num_queries(queries):
        client.get(URL)


@pytest.mark.parametrize(
    ("role", "of_courier", "of_merchant"),
    [
        (Role.AGENT, "/scans/upload/", "/quote/"),
        (Role.FINANCE, "/statements/", "/statements/"),
        (Role.VIEWER, None, None),
    ],
)
def test_the_main_button_leads_where_the_role_may_go(
    judged: Lane, role: Role, of_courier: str | None, of_merchant: str | None
) -> None:
    for organisation, expected in ((judged.courier, of_courier), (judged.merchant, of_merchant)):
        client = Client()
        client.force_login(
            factories.member_user(f"{role}-{organisation.pk}@x.example", organisation, role),
            backend="django.contrib.auth.backends.ModelBackend",
        )
        actions = client.get(URL).content.decode().split("ca-page-actions", 1)[-1].split("</header>", 1)[0]
        found = re.findall(r'class="btn btn-primary" href="([^"]+)"', actions)
        assert found == ([expected] if expected else [])
        assert all(client.get(address).status_code == 200 for address in found)
