"""The verbs of an application: what they do, what a replay does, what they refuse."""

import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from alliance.choices import OrganisationStatus
from alliance.errors import AllianceError, Conflict, InvalidInput, NotAuthenticated, NotFound, NotPermitted
from alliance.models import AuditEntry, City, Event, Member, Organisation
from alliance.services import actor_of_user
from alliance.tenancy import ANONYMOUS, Actor, Scope, scope
from couriers.choices import Step
from couriers.models import Application, ApplicationEvent, Courier, Document, Facility
from couriers.services import applications, documents, facilities, reviews
from tests import factories
from tests.couriers import files
from tests.couriers.conftest import COMPANY, CONTACT, make_applicant

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


def states(application: Application) -> list[str]:
    return [event.state for event in application.events.order_by("pk")]


# --- start and fill in ------------------------------------------------------------------------


def test_start_makes_a_draft_with_the_companys_name(applicant: Actor) -> None:
    application = applications.start_application(actor=applicant, language="zh-hans")
    assert (application.state, application.legal_name) == ("draft", "Feiyan Express")
    assert (application.language, application.created_by_id) == ("zh-hans", applicant.user_id)


def test_start_again_returns_the_same(applicant: Actor, draft: Application) -> None:
    assert applications.start_application(actor=applicant) == draft


def test_start_is_for_couriers_that_apply(courier: Actor, merchant: Actor) -> None:
    with pytest.raises(NotPermitted):
        applications.start_application(actor=merchant)
    with pytest.raises(NotAuthenticated):
        applications.start_application(actor=ANONYMOUS)
    with pytest.raises(Conflict, match="member already"):
        applications.start_application(actor=courier)


def test_start_after_a_rejection_takes_data_and_cities_over(
    applicant: Actor, ops: Actor, submitted: Application, hangzhou: City
) -> None:
    reviews.reject_application(actor=ops, application_id=submitted.pk, reason="No fleet.")
    second = applications.start_application(actor=applicant)
    assert second.pk != submitted.pk
    assert (second.state, second.credit_code) == ("draft", COMPANY["credit_code"])
    assert list(second.cities.all()) == [hangzhou]
    assert second.documents.count() == 0


def test_save_stores_a_step_and_leaves_the_others(applicant: Actor, draft: Application) -> None:
    applications.save_application_step(
        actor=applicant, application_id=draft.pk, step="contact", values={"contact_name": " 陈  晓燕 "}
    )
    draft.refresh_from_db()
    assert (draft.contact_name, draft.contact_phone, draft.legal_name) == ("陈 晓燕", "", "Feiyan Express")


def test_save_with_one_wrong_field_stores_nothing(applicant: Actor, draft: Application) -> None:
    with pytest.raises(InvalidInput) as caught:
        applications.save_application_step(
            actor=applicant, application_id=draft.pk, step=Step.COMPANY, values=COMPANY | {"fleet_size": 0}
        )
    assert [error.field for error in caught.value.errors] == ["fleet_size"]
    draft.refresh_from_db()
    assert draft.credit_code == ""


def test_save_of_an_unknown_step_is_refused(applicant: Actor, draft: Application) -> None:
    with pytest.raises(InvalidInput):
        applications.save_application_step(actor=applicant, application_id=draft.pk, step="state", values={})


def test_save_is_audited(applicant: Actor, draft: Application) -> None:
    applications.save_application_step(
        actor=applicant, application_id=draft.pk, step=Step.CONTACT, values=CONTACT
    )
    entry = AuditEntry.objects.get(verb="application.saved")
    assert (entry.object_id, entry.user_id) == (str(draft.pk), applicant.user_id)
    assert entry.detail == {"step": "contact"}


@pytest.mark.parametrize("verb", ["save", "cities", "document", "submit"])
def test_somebody_elses_application_is_not_found(draft: Application, hangzhou: City, verb: str) -> None:
    stranger = factories.member_user("boss@rival.example", make_applicant("Rival"))
    with pytest.raises(NotFound):
        _write(verb, actor_of_user(stranger), draft, hangzhou)


@pytest.mark.parametrize("verb", ["save", "cities", "document"])
def test_what_was_submitted_cannot_be_changed(
    applicant: Actor, submitted: Application, hangzhou: City, verb: str
) -> None:
    with pytest.raises(Conflict, match="cannot be changed now"):
        _write(verb, applicant, submitted, hangzhou)


def _write(verb: str, actor: Actor, application: Application, city: City) -> None:
    asked: dict[str, Any] = {"actor": actor, "application_id": application.pk}
    if verb == "save":
        applications.save_application_step(**asked, step=Step.CONTACT, values=CONTACT)
    elif verb == "cities":
        applications.add_service_cities(**asked, city_ids=[city.pk])
    elif verb == "document":
        documents.add_document(**asked, kind="other", upload=files.upload())
    else:
        applications.submit_application(**asked)


def test_cities_are_added_once_and_removed_once(
    applicant: Actor, draft: Application, hangzhou: City, chengdu: City
) -> None:
    asked: dict[str, Any] = {"actor": applicant, "application_id": draft.pk}
    assert applications.add_service_cities(**asked, city_ids=[hangzhou.pk]) == 1
    assert applications.add_service_cities(**asked, city_ids=[hangzhou.pk, chengdu.pk]) == 1
    assert applications.remove_service_cities(**asked, city_ids=[hangzhou.pk]) == 1
    assert applications.remove_service_cities(**asked, city_ids=[hangzhou.pk]) == 0
    assert list(draft.cities.all()) == [chengdu]


def test_cities_can_be_set_as_a_whole(
    applicant: Actor, draft: Application, hangzhou: City, chengdu: City
) -> None:
    for chosen in ([hangzhou.pk, chengdu.pk], [chengdu.pk], [chengdu.pk]):
        applications.save_application_step(
            actor=applicant, application_id=draft.pk, step=Step.CITIES, values={"cities": chosen}
        )
    assert list(draft.cities.all()) == [chengdu]


def test_an_unknown_city_is_refused(applicant: Actor, draft: Application) -> None:
    with pytest.raises(InvalidInput, match="not valid"):
        applications.add_service_cities(actor=applicant, application_id=draft.pk, city_ids=[999_999_999])


# --- documents --------------------------------------------------------------------------------


def test_a_document_is_stored_privately_under_a_random_name(applicant: Actor, draft: Application) -> None:
    document = documents.add_document(
        actor=applicant, application_id=draft.pk, kind="other", upload=files.upload("营业执照.exe")
    )
    assert document.name == "营业执照.exe"
    assert document.content_type == "application/pdf"
    assert document.file.name.endswith(".pdf")
    assert "营业执照" not in document.file.name
    stored = Path(document.file.path)
    assert stored.read_bytes() == files.pdf()
    assert stored.stat().st_mode & 0o777 == 0o600


def test_the_same_file_again_is_the_same_document(applicant: Actor, draft: Application) -> None:
    asked: dict[str, Any] = {"actor": applicant, "application_id": draft.pk, "kind": "other"}
    first = documents.add_document(**asked, upload=files.upload("a.pdf"))
    assert documents.add_document(**asked, upload=files.upload("b.pdf")) == first
    assert Document.objects.count() == 1


def test_what_is_no_document_is_refused_beside_its_field(applicant: Actor, draft: Application) -> None:
    with pytest.raises(InvalidInput) as caught:
        documents.add_document(
            actor=applicant,
            application_id=draft.pk,
            kind="other",
            upload=files.upload("licence.pdf", files.archive()),
        )
    assert caught.value.errors[0].pointer == "/file"
    assert not Document.objects.exists()


def test_an_unknown_kind_is_refused(applicant: Actor, draft: Application) -> None:
    with pytest.raises(InvalidInput):
        documents.add_document(actor=applicant, application_id=draft.pk, kind="selfie", upload=files.upload())


def test_documents_have_a_limit(
    applicant: Actor, draft: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(documents, "MOST_DOCUMENTS", 1)
    asked: dict[str, Any] = {"actor": applicant, "application_id": draft.pk, "kind": "other"}
    documents.add_document(**asked, upload=files.upload(content=files.pdf(mark="1")))
    with pytest.raises(InvalidInput) as caught:
        documents.add_document(**asked, upload=files.upload(content=files.pdf(mark="2")))
    assert caught.value.errors[0].code == "too_many"


def test_a_removed_document_takes_its_file_along(
    applicant: Actor, draft: Application, django_capture_on_commit_callbacks: Callable[..., Any]
) -> None:
    document = documents.add_document(
        actor=applicant, application_id=draft.pk, kind="other", upload=files.upload()
    )
    storage, name = document.file.storage, document.file.name
    with django_capture_on_commit_callbacks(execute=True):
        documents.remove_document(actor=applicant, document_id=document.pk)
        # Until the commit the file is there: a rollback must find it.
        assert storage.exists(name)
    assert not storage.exists(name)
    with pytest.raises(NotFound):
        documents.remove_document(actor=applicant, document_id=document.pk)


def test_a_file_without_a_document_is_forgotten_after_a_day(applicant: Actor, draft: Application) -> None:
    asked: dict[str, Any] = {"actor": applicant, "application_id": draft.pk, "kind": "other"}
    kept = documents.add_document(**asked, upload=files.upload(content=files.pdf(mark="kept")))
    lost = documents.add_document(**asked, upload=files.upload(content=files.pdf(mark="lost")))
    Document.objects.filter(pk=lost.pk).delete()
    assert documents.forget_orphaned_files() == 0
    later = timezone.now() + timedelta(days=2)
    assert documents.forget_orphaned_files(now=later) == 1
    assert documents.forget_orphaned_files(now=later) == 0
    assert kept.file.storage.exists(kept.file.name)


# --- submit -----------------------------------------------------------------------------------


def test_submit_names_everything_that_is_missing(applicant: Actor, draft: Application) -> None:
    with pytest.raises(InvalidInput) as caught:
        applications.submit_application(actor=applicant, application_id=draft.pk)
    pointers = [error.pointer for error in caught.value.errors]
    assert pointers[0] == "/company/credit_code"
    assert pointers[-3:] == ["/cities/cities", "/documents/business_licence", "/documents/express_permit"]
    draft.refresh_from_db()
    assert draft.state == "draft"


def test_submit_writes_history_audit_and_event(applicant: Actor, complete: Application) -> None:
    applications.submit_application(actor=applicant, application_id=complete.pk, note="All there.")
    event = ApplicationEvent.objects.get()
    assert (event.state, event.reason, event.actor_label) == (
        "submitted",
        "All there.",
        "owner@feiyan.example",
    )
    assert AuditEntry.objects.filter(verb="application.submitted", object_id=str(complete.pk)).count() == 1
    assert Event.objects.get(topic="application.submitted").courier_id == complete.organisation_id


def test_submit_again_changes_nothing(applicant: Actor, submitted: Application) -> None:
    again = applications.submit_application(actor=applicant, application_id=submitted.pk, note="and again")
    assert again.submitted_at == submitted.submitted_at
    assert states(submitted) == ["submitted"]


def test_submit_after_the_decision_is_a_conflict(
    applicant: Actor, ops: Actor, submitted: Application
) -> None:
    reviews.reject_application(actor=ops, application_id=submitted.pk, reason="No.")
    with pytest.raises(Conflict):
        applications.submit_application(actor=applicant, application_id=submitted.pk)


# --- decide -----------------------------------------------------------------------------------


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
    assert {name: getattr(courier, name) for name in CONTACT} == CONTACT
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
    with pytest.raises(NotPermitted, match="their own company"):
        reviews.approve_application(actor=ops, application_id=submitted.pk)


def test_nobody_decides_on_what_they_have_not_seen(
    applicant: Actor, ops: Actor, submitted: Application
) -> None:
    seen = submitted.submitted_at
    reviews.request_more(actor=ops, application_id=submitted.pk, reason="More.")
    applications.submit_application(actor=applicant, application_id=submitted.pk)
    with pytest.raises(Conflict, match="submitted again meanwhile"):
        reviews.approve_application(actor=ops, application_id=submitted.pk, seen=seen)


def test_a_credit_code_joins_once(ops: Actor, submitted: Application, fill_in: Callable[..., None]) -> None:
    reviews.approve_application(actor=ops, application_id=submitted.pk)
    twin = actor_of_user(factories.member_user("twin@feiyan.example", make_applicant("Twin")))
    second = applications.start_application(actor=twin)
    fill_in(twin, second)
    applications.submit_application(actor=twin, application_id=second.pk)
    assert reviews.remarks_on(second) == [
        "A courier with this unified social credit code is a member already.",
        "1 other company has applied with this unified social credit code.",
    ]
    with pytest.raises(Conflict, match="is a member already"):
        reviews.approve_application(actor=ops, application_id=second.pk)
    second.refresh_from_db()
    assert second.state == "submitted"
    assert states(second) == ["submitted"]


# --- facilities -------------------------------------------------------------------------------


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


# --- races ------------------------------------------------------------------------------------


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
