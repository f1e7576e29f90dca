"""Ops' pages: the queue, one application, the three decisions."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from alliance.members.services.actors import actor_of_user
from alliance.models import City, Organisation
from alliance.tenancy import Actor, Scope, scope
from couriers.applications.services import applications, reviews
from couriers.models import Application, Courier, Facility
from tests import factories
from tests.couriers.conftest import COMPANY, make_applicant, reread

pytestmark = pytest.mark.django_db
QUEUE = "admin:couriers_application_changelist"
DECISIONS = {"ask-for-more": "more_needed", "approve": "approved", "reject": "rejected"}


def detail(application: Application) -> str:
    return reverse("admin:couriers_application_change", args=[application.pk])


def decision(application: Application, verb: str) -> str:
    return reverse(f"admin:couriers_application_{verb.replace('-', '_')}", args=[application.pk])


@pytest.fixture
def plain_ops_client(db: None) -> Client:
    """Ops staff without Django's superuser flag."""
    client = Client()
    user = factories.staff_user("staff@alliance.example")
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


@pytest.fixture
def apply_as(fill_in: Callable[..., None]) -> Callable[[str, str], Application]:
    def apply(name: str, code: str) -> Application:
        actor = actor_of_user(factories.member_user(f"{name}@queue.example", make_applicant(name)))
        with scope(Scope.of(actor)):
            application = applications.start_application(actor=actor)
            fill_in(actor, application, legal_name=name, credit_code=code)
            return applications.submit_application(actor=actor, application_id=application.pk)

    return apply


def test_the_queue_has_the_longest_waiting_on_top(
    ops_client: Client, apply_as: Callable[..., Application], submitted: Application, ops: Actor
) -> None:
    newer = apply_as("Newer", "91110000600037341L")
    with scope(Scope.everything()):
        Application.objects.filter(pk=submitted.pk).update(submitted_at=timezone.now() - timedelta(days=5))
        draft = Application.objects.create(organisation=make_applicant("Draft"), legal_name="Draft")
    shown = list(ops_client.get(reverse(QUEUE)).context["cl"].result_list)
    assert [application.pk for application in shown] == [submitted.pk, newer.pk, draft.pk]


@pytest.mark.parametrize(("days", "found"), [("1", 1), ("3", 1), ("7", 0), ("nonsense", 1)])
def test_the_queue_is_filtered_by_age(
    ops_client: Client, submitted: Application, days: str, found: int
) -> None:
    with scope(Scope.everything()):
        Application.objects.update(submitted_at=timezone.now() - timedelta(days=5))
    assert len(ops_client.get(reverse(QUEUE), {"waiting": days}).context["cl"].result_list) == found


@pytest.mark.parametrize(("state", "found"), [("submitted", 1), ("approved", 0)])
def test_the_queue_is_filtered_by_state(
    ops_client: Client, submitted: Application, state: str, found: int
) -> None:
    assert len(ops_client.get(reverse(QUEUE), {"state__exact": state}).context["cl"].result_list) == found


@pytest.mark.parametrize(
    ("query", "found"), [("飞燕", 1), ("91330100799655058B", 1), ("Feiyan", 1), ("x9", 0)]
)
def test_the_queue_is_searched(ops_client: Client, submitted: Application, query: str, found: int) -> None:
    assert len(ops_client.get(reverse(QUEUE), {"q": query}).context["cl"].result_list) == found


@pytest.mark.parametrize("rows", [1, 3])
def test_the_queue_costs_the_same_for_few_and_many(
    ops_client: Client,
    apply_as: Callable[..., Application],
    django_assert_num_queries: Callable[..., Any],
    rows: int,
) -> None:
    for name in ("One", "Two", "Three")[:rows]:
        apply_as(name, "91110000600037341L")
    ops_client.get(reverse(QUEUE))
    with django_assert_num_queries(QUEUE_QUERIES):
        ops_client.get(reverse(QUEUE))


QUEUE_QUERIES = 7


def test_staff_need_no_superuser_flag(plain_ops_client: Client, submitted: Application) -> None:
    assert plain_ops_client.get(reverse(QUEUE)).status_code == 200
    assert plain_ops_client.get(detail(submitted)).status_code == 200
    assert plain_ops_client.post(decision(submitted, "approve"), {"reason": ""}).status_code == 302
    assert reread(submitted).state == "approved"


def test_members_are_kept_out(
    applicant_client: Client, courier_client: Client, merchant_client: Client, submitted: Application
) -> None:
    for visitor in (applicant_client, courier_client, merchant_client, Client()):
        for url in (reverse(QUEUE), detail(submitted), decision(submitted, "approve")):
            assert visitor.get(url).status_code == 302
        assert visitor.post(decision(submitted, "approve"), {"reason": "Me."}).status_code == 302
    assert reread(submitted).state == "submitted"


def test_the_page_shows_everything_and_edits_nothing(ops_client: Client, submitted: Application) -> None:
    page = ops_client.get(detail(submitted)).text
    for shown in (
        COMPANY["legal_name"],
        "0571-8502 2088",
        "Hangzhou",
        "business_licence.pdf",
        "Nothing unusual",
    ):
        assert shown in page
    ops_client.post(detail(submitted), {"legal_name": "other", "state": "approved"})
    assert reread(submitted).legal_name == COMPANY["legal_name"]
    assert reread(submitted).state == "submitted"


def test_the_page_offers_what_the_state_allows(
    ops_client: Client, submitted: Application, ops: Actor
) -> None:
    def offered() -> set[str]:
        page = ops_client.get(detail(submitted)).text
        return {verb for verb in DECISIONS if decision(submitted, verb) in page}

    assert offered() == set(DECISIONS)
    with scope(Scope.everything()):
        reviews.request_more(actor=ops, application_id=submitted.pk, reason="More.")
    assert offered() == {"reject"}
    with scope(Scope.everything()):
        reviews.reject_application(actor=ops, application_id=submitted.pk, reason="No.")
    assert offered() == set()


def test_an_application_can_neither_be_added_nor_deleted(ops_client: Client, draft: Application) -> None:
    assert ops_client.get(reverse("admin:couriers_application_add")).status_code == 403
    delete = reverse("admin:couriers_application_delete", args=[draft.pk])
    assert ops_client.post(delete, {"post": "yes"}).status_code == 403


@pytest.mark.parametrize(("verb", "state"), DECISIONS.items())
def test_a_decision_with_a_reason_is_carried_out(
    ops_client: Client, submitted: Application, verb: str, state: str
) -> None:
    assert ops_client.get(decision(submitted, verb)).status_code == 200
    response = ops_client.post(decision(submitted, verb), {"reason": "Seen by us."}, follow=True)
    assert response.redirect_chain[-1][0] == detail(submitted)
    assert reread(submitted).state == state
    with scope(Scope.everything()):
        event = submitted.events.first()
        assert (event.state, event.reason) == (state, "Seen by us.")
        assert event.actor_label == "ops@alliance.example"


def test_approval_makes_the_courier(ops_client: Client, submitted: Application) -> None:
    ops_client.post(decision(submitted, "approve"), {})
    with scope(Scope.everything()):
        assert Courier.objects.get(pk=submitted.organisation_id).legal_name == COMPANY["legal_name"]
        assert Organisation.objects.get(pk=submitted.organisation_id).status == "active"


@pytest.mark.parametrize("verb", ["ask-for-more", "reject"])
def test_a_refusal_without_a_reason_is_asked_for_one(
    ops_client: Client, submitted: Application, verb: str
) -> None:
    response = ops_client.post(decision(submitted, verb), {"reason": "  "})
    assert response.status_code == 422
    assert "Enter a reason" in response.text
    assert reread(submitted).state == "submitted"


def test_a_stale_page_decides_nothing(
    ops_client: Client, ops: Actor, applicant: Actor, submitted: Application
) -> None:
    seen = ops_client.get(decision(submitted, "approve")).context["form"]["seen"].value()
    with scope(Scope.everything()):
        reviews.request_more(actor=ops, application_id=submitted.pk, reason="More.")
        applications.submit_application(actor=applicant, application_id=submitted.pk)
    response = ops_client.post(decision(submitted, "approve"), {"seen": seen}, follow=True)
    assert "submitted again in the meantime" in response.text
    assert reread(submitted).state == "submitted"


@pytest.mark.parametrize("seen", ["nonsense", "2026-99-99T00:00:00", ""])
def test_a_tampered_page_does_not_break(ops_client: Client, submitted: Application, seen: str) -> None:
    assert ops_client.post(decision(submitted, "approve"), {"seen": seen}).status_code == 302


def test_a_decision_on_what_is_decided_is_refused_politely(
    ops_client: Client, ops: Actor, submitted: Application
) -> None:
    with scope(Scope.everything()):
        reviews.reject_application(actor=ops, application_id=submitted.pk, reason="No.")
    response = ops_client.post(decision(submitted, "approve"), {}, follow=True)
    assert "cannot be changed to" in response.text
    assert reread(submitted).state == "rejected"


@pytest.mark.parametrize("number", ["0", "x", "9" * 30])
def test_a_decision_on_nothing_is_not_found(ops_client: Client, number: str) -> None:
    url = reverse("admin:couriers_application_approve", args=[number])
    assert ops_client.post(url, {"reason": "Yes."}).status_code == 404


def test_couriers_are_listed_and_read_only(ops_client: Client, courier_organisation: Organisation) -> None:
    page = ops_client.get(reverse("admin:couriers_courier_changelist")).text
    assert courier_organisation.name in page
    assert ops_client.get(reverse("admin:couriers_courier_add")).status_code == 403


def test_facilities_are_added_and_corrected(ops_client: Client, hangzhou: City) -> None:
    sent = {"name": "East hub", "city": hangzhou.pk, "kind": "warehouse"}
    assert ops_client.post(reverse("admin:couriers_facility_add"), sent).status_code == 302
    with scope(Scope.everything()):
        facility = Facility.objects.get()
    change = reverse("admin:couriers_facility_change", args=[facility.pk])
    ops_client.post(change, sent | {"kind": "pickup_point"})
    with scope(Scope.everything()):
        assert [kept.kind for kept in Facility.objects.all()] == ["pickup_point"]
    again = ops_client.post(reverse("admin:couriers_facility_add"), sent)
    assert again.status_code == 200
    assert again.context["adminform"].form.errors
