"""The verbs of an application: what they do, what a replay does, what they refuse."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from alliance.errors import Conflict, InvalidInput, NotAuthenticated, NotFound, NotPermitted
from alliance.members.services.actors import actor_of_user
from alliance.models import AuditEntry, City, Event
from alliance.tenancy import ANONYMOUS, Actor, Scope, scope
from couriers.applications.services import applications, reviews
from couriers.choices import Step
from couriers.documents import services as documents
from couriers.models import Application, ApplicationEvent, Document
from tests import factories
from tests.couriers.conftest import COMPANY, CONTACT, make_applicant, states
from tests.couriers.helpers import files

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
    with pytest.raises(Conflict, match="already a member"):
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
