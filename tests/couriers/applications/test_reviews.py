"""The alliance's decisions, its facilities, and who wins when several act at once."""

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import connection

from alliance.choices import OrganisationStatus
from alliance.errors import AllianceError, Conflict, InvalidInput, NotPermitted
from alliance.members.services.actors import actor_of_user
from alliance.models import City, Contact, Event, Member, Organisation
from alliance.tenancy import Actor, Scope, scope
from couriers.applications.services import applications, reviews
from couriers.choices import Step
from couriers.facilities import services as facilities
from couriers.models import Application, Courier, Facility
from tests import factories
from tests.couriers.conftest import COMPANY, CONTACT, make_applicant, states

pytestmark = [pytest.mark.django_db]


@pytest.fixture(autouse=True)
def _scope(request: pytest.FixtureRequest) -> Iterator[None]:
    """Services are called in the scope a door has opened; who may do what is code's wall here."""
    if "transactional_db" in request.fixturenames:
        yield
        return
    request.getfixturevalue("db")
    with scope(Scope.everything()):
        yield


def test_asked_for_more_the_applicant_changes_and_submits_again(
    applicant: Actor, ops: Actor, submitted: Application
) -> None:
    reviews.request_more(actor=ops, application_id=submitted.pk, reason="The permit is cut off.")
    applications.save_application_step(
        actor=applicant, application_id=submitted.pk, step=Step.COMPANY, values={"fleet_size": 150}
    )
    again = applications.submit_application(actor=applicant, application_id=submitted.pk)
    assert again.fleet_size == 150
    assert states(submitted) == ["submitted", "more_needed", "submitted"]


def test_approval_makes_an_active_courier_and_keeps_the_owner(
    applicant: Actor, ops: Actor, submitted: Application
) -> None:
    courier = reviews.approve_application(actor=ops, application_id=submitted.pk)
    assert courier.pk == submitted.organisation_id
    with scope(Scope.everything()):
        contact = Contact.objects.get(organisation_id=courier.pk)
    assert {f"contact_{name}": getattr(contact, name) for name in ("name", "phone", "email")} == CONTACT
    assert (courier.legal_name, courier.permit_number) == (COMPANY["legal_name"], COMPANY["permit_number"])
    assert courier.joined_at is not None
    organisation = Organisation.objects.get(pk=submitted.organisation_id)
    assert organisation.status == OrganisationStatus.ACTIVE
    assert Member.objects.get(organisation=organisation).role == "owner"


@pytest.mark.parametrize("verb", [reviews.request_more, reviews.reject_application])
@pytest.mark.parametrize("reason", ["", "  \n ", "\x00"])
def test_a_refusal_needs_a_reason(
    ops: Actor, submitted: Application, verb: Callable[..., Any], reason: str
) -> None:
    with pytest.raises(InvalidInput) as caught:
        verb(actor=ops, application_id=submitted.pk, reason=reason)
    assert caught.value.errors[0].code == "required"
    assert states(submitted) == ["submitted"]


@pytest.mark.parametrize(
    "verb", [reviews.request_more, reviews.reject_application, reviews.approve_application]
)
def test_the_same_decision_again_changes_nothing(
    ops: Actor, submitted: Application, verb: Callable[..., Any]
) -> None:
    for _again in range(2):
        verb(actor=ops, application_id=submitted.pk, reason="Seen.")
    assert len(states(submitted)) == 2
    assert Event.objects.exclude(topic="application.submitted").count() == 1


def test_a_second_and_different_decision_is_a_conflict(ops: Actor, submitted: Application) -> None:
    reviews.reject_application(actor=ops, application_id=submitted.pk, reason="No fleet.")
    for verb in (reviews.request_more, reviews.reject_application, reviews.approve_application):
        with pytest.raises(Conflict):
            verb(actor=ops, application_id=submitted.pk, reason="Another reason.")
    assert not Courier.objects.exists()


def test_a_draft_cannot_be_decided(ops: Actor, complete: Application) -> None:
    for verb in (reviews.request_more, reviews.reject_application, reviews.approve_application):
        with pytest.raises(Conflict, match="it is “Draft”"):
            verb(actor=ops, application_id=complete.pk, reason="Early.")


def test_nobody_but_ops_decides(applicant: Actor, courier: Actor, submitted: Application) -> None:
    for actor in (applicant, courier):
        for verb in (reviews.request_more, reviews.reject_application, reviews.approve_application):
            with pytest.raises(NotPermitted):
                verb(actor=actor, application_id=submitted.pk, reason="Me.")


def test_ops_do_not_decide_on_their_own_company(ops: Actor, submitted: Application) -> None:
    Member.objects.create(organisation_id=submitted.organisation_id, user_id=ops.user_id, role="viewer")
    with pytest.raises(NotPermitted, match="your own company"):
        reviews.approve_application(actor=ops, application_id=submitted.pk)


def test_nobody_decides_on_what_they_have_not_seen(
    applicant: Actor, ops: Actor, submitted: Application
) -> None:
    seen = submitted.submitted_at
    reviews.request_more(actor=ops, application_id=submitted.pk, reason="More.")
    applications.submit_application(actor=applicant, application_id=submitted.pk)
    with pytest.raises(Conflict, match="submitted again in the meantime"):
        reviews.approve_application(actor=ops, application_id=submitted.pk, reviewed_submission=seen)


def test_a_credit_code_joins_once(ops: Actor, submitted: Application, fill_in: Callable[..., None]) -> None:
    reviews.approve_application(actor=ops, application_id=submitted.pk)
    twin = actor_of_user(factories.member_user("twin@feiyan.example", make_applicant("Twin")))
    second = applications.start_application(actor=twin)
    fill_in(twin, second)
    applications.submit_application(actor=twin, application_id=second.pk)
    assert reviews.remarks_on(second) == [
        "A member already has this unified social credit code.",
        "1 other company has applied with this unified social credit code.",
    ]
    with pytest.raises(Conflict, match="already has this unified social credit code"):
        reviews.approve_application(actor=ops, application_id=second.pk)
    second.refresh_from_db()
    assert second.state == "submitted"
    assert states(second) == ["submitted"]


def test_facilities_are_kept_by_ops(ops: Actor, courier: Actor, hangzhou: City) -> None:
    facility = facilities.save_facility(actor=ops, name=" East  hub", city=hangzhou, kind="warehouse")
    assert facility.name == "East hub"
    facilities.save_facility(
        actor=ops, name="East hub 2", city=hangzhou, kind="warehouse", facility_id=facility.pk
    )
    assert [kept.name for kept in Facility.objects.all()] == ["East hub 2"]
    with pytest.raises(InvalidInput, match="not valid"):
        facilities.save_facility(actor=ops, name="East hub 2", city=hangzhou, kind="palace")
    with pytest.raises(NotPermitted):
        facilities.save_facility(actor=courier, name="Mine", city=hangzhou, kind="warehouse")


def _at_once(*calls: Callable[[], Any]) -> list[str]:
    barrier, results = threading.Barrier(len(calls)), ["" for _call in calls]

    def run(index: int, call: Callable[[], Any]) -> None:
        try:
            with scope(Scope.everything()):
                barrier.wait()
                call()
            results[index] = "done"
        except AllianceError as error:
            results[index] = type(error).__name__
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(index, call)) for index, call in enumerate(calls)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sorted(results)


@pytest.mark.django_db(transaction=True)
def test_two_tabs_that_start_at_once_share_one_application(transactional_db: None, applicant: Actor) -> None:
    start = lambda: applications.start_application(actor=applicant)  # noqa: E731
    assert _at_once(start, start, start) == ["done", "done", "done"]
    with scope(Scope.everything()):
        assert Application.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_two_tabs_that_submit_at_once_submit_once(
    transactional_db: None, applicant: Actor, complete: Application
) -> None:
    submit = lambda: applications.submit_application(actor=applicant, application_id=complete.pk)  # noqa: E731
    assert _at_once(submit, submit, submit) == ["done", "done", "done"]
    with scope(Scope.everything()):
        assert states(complete) == ["submitted"]


@pytest.mark.django_db(transaction=True)
def test_of_approving_and_rejecting_at_once_one_wins(
    transactional_db: None, ops: Actor, submitted: Application
) -> None:
    asked: dict[str, Any] = {"actor": ops, "application_id": submitted.pk, "reason": "Decided."}
    results = _at_once(
        lambda: reviews.approve_application(**asked), lambda: reviews.reject_application(**asked)
    )
    assert results == ["Conflict", "done"]
    with scope(Scope.everything()):
        submitted.refresh_from_db()
        assert Courier.objects.filter(pk=submitted.organisation_id).exists() == (
            submitted.state == "approved"
        )
