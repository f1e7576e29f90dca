"""The admin's dashboard: the alliance's figures, couriers, and the health of periodic jobs."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from alliance.database import partitions
from alliance.demo_progress import DemoProgress
from alliance.models import Heartbeat, Organisation
from alliance.tenancy import Scope, scope
from couriers.models import Application
from parcels import admin_dashboard
from tests import factories
from tests.couriers.conftest import COMPANY, CONTACT
from tests.slas.helpers.commitments import DAY, HOUR, Lane, lane
from tests.slas.helpers.records import YESTERDAY, catch_up, judge_yesterday, promise

pytestmark = pytest.mark.django_db
URL = "/admin/"


@pytest.fixture
def route(merchant_organisation: Organisation, courier_organisation: Organisation) -> Lane:
    return lane(merchant_organisation, courier_organisation)


@pytest.fixture
def judged(route: Lane) -> Lane:
    judge_yesterday(route)
    return route


@pytest.fixture
def staff_client(db: None) -> Client:
    """Ops staff without a superuser's rights."""
    client = Client()
    client.force_login(
        factories.staff_user("staff@alliance.example"),
        backend="django.contrib.auth.backends.ModelBackend",
    )
    return client


def beat(name: str, age: timedelta, **detail: object) -> None:
    Heartbeat.objects.update_or_create(name=name, defaults={"at": timezone.now() - age, "detail": detail})


def all_beating() -> None:
    for name in ("beat", "sweep-overdue", "fold-tallies", "work-out-credits"):
        beat(name, timedelta(seconds=5))
    beat("audit-rates", timedelta(hours=9), cells=0, breaches=0, first=[])


def test_dashboard_shows_the_whole_alliance(
    judged: Lane, rival_courier: Organisation, ops_client: Client
) -> None:
    with scope(Scope.everything()):
        promise(judged, YESTERDAY, late=-HOUR, courier_id=rival_courier.pk)
    catch_up()
    response = ops_client.get(URL)
    context = response.context
    assert (context["pickup"].due_today, context["delivery"].overdue_now) == (1, 1)
    row = context["delivery"].week
    assert (row.n, row.met, row.excused) == (7, 4, 1)
    page = response.content.decode()
    assert "57.14\N{NO-BREAK SPACE}%" in page
    assert "66.67\N{NO-BREAK SPACE}%" in page
    assert 'data-chart="line"' in page


def test_couriers_are_ranked_by_lower_bound(
    judged: Lane, rival_courier: Organisation, ops_client: Client
) -> None:
    with scope(Scope.everything()):
        # One of one: a better rate, but its lower bound is below three of five.
        promise(judged, YESTERDAY, late=-HOUR, courier_id=rival_courier.pk)
    catch_up()
    first, second = ops_client.get(URL).context["couriers"]
    assert (first.standing.name, first.overdue_now, first.standing.row.n) == ("Swift Express", 1, 6)
    assert (second.standing.name, second.overdue_now, second.standing.row.raw) == ("Rival Logistics", 0, 1.0)


def test_courier_with_only_old_overdue_parcels_is_listed(route: Lane, ops_client: Client) -> None:
    with scope(Scope.everything()):
        promise(route, YESTERDAY - 40 * DAY, late=None)
    catch_up()
    [line] = ops_client.get(URL).context["couriers"]
    assert (line.standing.row.n, line.overdue_now) == (0, 1)


def test_waiting_applications_are_counted(ops_client: Client) -> None:
    with scope(Scope.everything()):
        organisation = factories.courier_organisation("Hopeful Couriers", status="applicant")
        Application.objects.create(organisation=organisation, **COMPANY, **CONTACT)
    assert ops_client.get(URL).context["waiting"] == {"count": 0, "since": ""}
    with scope(Scope.everything()):
        Application.objects.update(state="submitted", submitted_at=timezone.now() - 2 * DAY)
    response = ops_client.get(URL)
    assert response.context["waiting"] == {"count": 1, "since": "2\N{NO-BREAK SPACE}days"}
    assert "/admin/couriers/application/?state__exact=submitted" in response.content.decode()


def test_no_warnings_when_all_jobs_run(ops_client: Client) -> None:
    all_beating()
    response = ops_client.get(URL)
    assert response.context["warnings"] == []
    assert "ops-warning" not in response.content.decode()


@pytest.mark.parametrize(
    ("name", "age", "stale"),
    [
        ("beat", timedelta(seconds=60), False),
        ("beat", timedelta(minutes=2), True),
        ("sweep-overdue", timedelta(minutes=4), False),
        ("sweep-overdue", timedelta(minutes=6), True),
        ("fold-tallies", timedelta(minutes=6), True),
        ("work-out-credits", timedelta(minutes=6), True),
        ("audit-rates", timedelta(hours=30), False),
        ("audit-rates", timedelta(hours=51), True),
    ],
)
def test_silent_job_is_a_warning(ops_client: Client, name: str, age: timedelta, stale: bool) -> None:
    all_beating()
    beat(name, age)
    response = ops_client.get(URL)
    assert len(response.context["warnings"]) == int(stale)
    assert ("last ran" in response.content.decode()) is stale


def test_jobs_that_never_ran_are_warnings_except_the_nightly_audit(ops_client: Client) -> None:
    warnings = ops_client.get(URL).context["warnings"]
    assert len(warnings) == 4
    assert all("has never run" in warning for warning in warnings)


@pytest.mark.parametrize(("is_stopped", "warnings"), [(False, 0), (True, 4)])
def test_jobs_wait_without_a_warning_while_the_demo_is_loaded(
    ops_client: Client, monkeypatch: pytest.MonkeyPatch, is_stopped: bool, warnings: int
) -> None:
    demo = DemoProgress(3, 60, has_people=True, is_stopped=is_stopped)
    monkeypatch.setattr(admin_dashboard, "demo_progress", lambda: demo)
    assert len(ops_client.get(URL).context["warnings"]) == warnings


def test_what_the_audit_found_is_a_warning(ops_client: Client) -> None:
    all_beating()
    beat("audit-rates", HOUR, cells=2, breaches=1, first=["..."])
    [warning] = ops_client.get(URL).context["warnings"]
    assert "2 rates and 1 breaches do not match" in warning


def test_partitions_ending_soon_are_a_warning(ops_client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    all_beating()
    monkeypatch.setattr(partitions, "months_ahead", lambda **_now: 1)
    [warning] = ops_client.get(URL).context["warnings"]
    assert "only 1 months ahead" in warning


def test_menu_links_only_existing_pages(ops_client: Client) -> None:
    groups = ops_client.get(URL).context["sidebar_navigation"]
    links = [str(item["link"]) for group in groups for item in group["items"]]
    assert {"/admin/slas/closure/", "/admin/couriers/application/", "/admin/slas/breachlisting/"} <= set(
        links
    )
    for link in links:
        assert ops_client.get(link).status_code == 200, link


def test_staff_see_only_what_they_may_open(staff_client: Client) -> None:
    response = staff_client.get(URL)
    assert response.status_code == 200
    for group in response.context["sidebar_navigation"]:
        for item in group["items"]:
            assert staff_client.get(str(item["link"])).status_code == 200


def test_members_have_no_access_to_the_dashboard(courier_client: Client, merchant_client: Client) -> None:
    for client in (courier_client, merchant_client, Client()):
        assert client.get(URL)["Location"].startswith("/admin/login/")


def test_scripts_of_the_page_satisfy_the_csp(judged: Lane, ops_client: Client) -> None:
    response = ops_client.get(URL)
    assert "script-src 'self' 'unsafe-eval'" in response["Content-Security-Policy"]
    page = response.content.decode()
    # Only our own script files, and data that is not executed.
    assert 'src="/static/js/charts.min.js"' in page
    assert "<script>" not in page.split('<div class="ops-grid">')[1]


def test_query_count_does_not_depend_on_couriers(
    judged: Lane, rival_courier: Organisation, ops_client: Client, django_assert_num_queries: object
) -> None:
    all_beating()
    ops_client.get(URL)
    with django_assert_num_queries(27):
        ops_client.get(URL)
    with scope(Scope.everything()):
        for back in range(10):
            promise(judged, YESTERDAY - back * DAY, late=HOUR, courier_id=rival_courier.pk)
            promise(judged, YESTERDAY - back * DAY, late=None)
    catch_up()
    with django_assert_num_queries(27):
        ops_client.get(URL)
