"""What the database itself refuses, whatever program asks: raw SQL here, no service."""

import itertools

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.utils import timezone

from alliance.choices import OrganisationStatus
from alliance.models import City, Organisation
from alliance.tenancy import Actor, Scope, protected_tables, scope
from couriers.applications.rules import TRANSITIONS
from couriers.choices import ApplicationState, DocumentKind
from couriers.models import Application, ApplicationEvent, Courier, Document, Facility, ServiceCity
from tests import factories
from tests.couriers.conftest import COMPANY, CONTACT

pytestmark = pytest.mark.django_db
PATHS = {
    "draft": [],
    "submitted": ["submitted"],
    "more_needed": ["submitted", "more_needed"],
    "approved": ["submitted", "approved"],
    "rejected": ["submitted", "rejected"],
}
TABLES = [
    "couriers_application",
    "couriers_applicationevent",
    "couriers_courier",
    "couriers_document",
    "couriers_facility",
    "couriers_servicecity",
]


def sql(statement: str, *values: object) -> int:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement, values)
        return cursor.rowcount


def move(application: Application, state: str) -> int:
    # Times as the state wants them: what is refused is refused for the transition alone.
    decided = timezone.now() if state in ("approved", "rejected") else None
    return sql(
        "UPDATE couriers_application SET state = %s, submitted_at = now(), decided_at = %s WHERE id = %s",
        state,
        decided,
        application.pk,
    )


@pytest.fixture
def filled(applicant_organisation: Organisation, everything: None) -> Application:
    return Application.objects.create(organisation=applicant_organisation, **COMPANY, **CONTACT)


@pytest.mark.parametrize(("old", "new"), list(itertools.permutations(ApplicationState.values, 2)))
def test_database_holds_the_table_of_transitions(filled: Application, old: str, new: str) -> None:
    for state in PATHS[old]:
        move(filled, state)
    if new in TRANSITIONS[old]:
        assert move(filled, new) == 1
    else:
        with pytest.raises(IntegrityError):
            move(filled, new)


@pytest.mark.parametrize("state", [state for state in ApplicationState.values if state != "draft"])
def test_an_application_starts_as_draft(filled: Application, state: str) -> None:
    with pytest.raises(IntegrityError, match="starts as a draft"):
        sql(
            "INSERT INTO couriers_application"
            " (organisation_id, state, legal_name, credit_code, permit_number, contact_name,"
            " contact_phone, contact_email, language, created_at, updated_at)"
            " VALUES (%s, %s, '', '', '', '', '', '', 'en', now(), now())",
            filled.organisation_id,
            state,
        )


@pytest.mark.parametrize("state", ["more_needed", "approved", "rejected"])
def test_an_applicants_session_cannot_decide(filled: Application, applicant: Actor, state: str) -> None:
    move(filled, "submitted")
    with pytest.raises(IntegrityError, match="only the alliance decides"), scope(Scope.of(applicant)):
        move(filled, state)


def test_what_was_submitted_stays_as_it_was(filled: Application) -> None:
    move(filled, "submitted")
    with pytest.raises(IntegrityError, match="cannot be edited"):
        sql("UPDATE couriers_application SET legal_name = 'other' WHERE id = %s", filled.pk)


def test_what_was_submitted_is_not_deleted(filled: Application) -> None:
    move(filled, "submitted")
    with pytest.raises(IntegrityError, match="is kept"):
        sql("DELETE FROM couriers_application WHERE id = %s", filled.pk)


def test_an_application_stays_with_its_company(filled: Application, rival_courier: Organisation) -> None:
    with pytest.raises(IntegrityError, match="stays with its organisation"):
        sql("UPDATE couriers_application SET organisation_id = %s", rival_courier.pk)


@pytest.mark.parametrize("column", ["legal_name", "credit_code", "permit_number", "contact_email"])
def test_nothing_incomplete_is_submitted(filled: Application, column: str) -> None:
    sql(f"UPDATE couriers_application SET {column} = ''")
    with pytest.raises(IntegrityError, match="application_submitted_is_complete"):
        move(filled, "submitted")


@pytest.mark.parametrize("column", ["founded_on", "fleet_size", "daily_capacity"])
def test_no_number_is_left_out_of_what_is_submitted(filled: Application, column: str) -> None:
    sql(f"UPDATE couriers_application SET {column} = NULL")
    with pytest.raises(IntegrityError, match="application_submitted_is_complete"):
        move(filled, "submitted")


@pytest.mark.parametrize(("column", "value"), [("fleet_size", 0), ("daily_capacity", -5)])
def test_sizes_are_plausible(filled: Application, column: str, value: int) -> None:
    with pytest.raises(IntegrityError, match="plausible"):
        sql(f"UPDATE couriers_application SET {column} = %s", value)


def test_a_company_has_one_open_application(filled: Application) -> None:
    with pytest.raises(IntegrityError, match="application_one_open_an_organisation"), transaction.atomic():
        Application.objects.create(organisation=filled.organisation)


def test_beside_a_rejected_one_there_is_room(filled: Application) -> None:
    move(filled, "submitted")
    move(filled, "rejected")
    assert Application.objects.create(organisation=filled.organisation).state == "draft"


def test_documents_and_cities_are_frozen_with_their_application(filled: Application, hangzhou: City) -> None:
    own = {"organisation": filled.organisation, "application": filled}
    served = ServiceCity.objects.create(**own, city=hangzhou)
    move(filled, "submitted")
    with pytest.raises(IntegrityError, match="cannot be edited"), transaction.atomic():
        served.delete()
    with pytest.raises(IntegrityError, match="cannot be edited"), transaction.atomic():
        document(filled)


def test_a_document_belongs_to_its_applications_company(
    filled: Application, rival_courier: Organisation
) -> None:
    with pytest.raises(IntegrityError, match="belongs to its organisation"), transaction.atomic():
        document(filled, organisation=rival_courier)


@pytest.mark.parametrize(
    ("changes", "constraint"),
    [
        ({"size": 0}, "document_size_allowed"),
        ({"size": 10 * 1024 * 1024 + 1}, "document_size_allowed"),
        ({"content_type": "text/html"}, "document_type_known"),
        ({"kind": "selfie"}, "document_kind_known"),
    ],
)
def test_a_document_is_what_a_document_can_be(
    filled: Application, changes: dict[str, object], constraint: str
) -> None:
    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        document(filled, **changes)


def test_a_refusal_has_a_reason(filled: Application) -> None:
    with pytest.raises(IntegrityError, match="application_event_has_reason"), transaction.atomic():
        ApplicationEvent.objects.create(
            organisation=filled.organisation, application=filled, state="rejected", actor_label="ops"
        )


def test_two_couriers_never_share_a_credit_code(everything: None) -> None:
    first, second = (factories.courier_organisation(name) for name in ("One", "Two"))
    Courier.objects.filter(pk=first.pk).update(credit_code=COMPANY["credit_code"])
    with pytest.raises(IntegrityError, match="courier_credit_code_once"), transaction.atomic():
        Courier.objects.filter(pk=second.pk).update(credit_code=COMPANY["credit_code"])


def test_a_facility_is_named_once_a_city(everything: None, hangzhou: City) -> None:
    Facility.objects.create(name="East hub", city=hangzhou, kind="warehouse")
    with pytest.raises(IntegrityError, match="facility_name_once_a_city"), transaction.atomic():
        Facility.objects.create(name="East hub", city=hangzhou, kind="pickup_point")


@pytest.mark.parametrize("table", TABLES)
def test_every_table_is_protected_and_empty_without_a_scope(complete: Application, table: str) -> None:
    assert table in protected_tables()
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM {table}")
        assert cursor.fetchone() == (0,)


@pytest.mark.parametrize("model", [Application, Document, ServiceCity, ApplicationEvent])
def test_a_company_sees_its_own_rows_and_another_none(
    submitted: Application, rival_courier: Organisation, merchant_organisation: Organisation, model: type
) -> None:
    with scope(Scope.courier(submitted.organisation_id)):
        assert model.objects.count() > 0
    for stranger in (
        Scope.courier(rival_courier.pk),
        Scope.merchant(merchant_organisation.pk),
        Scope.user(1),
    ):
        with scope(stranger):
            assert model.objects.count() == 0


def test_nobody_writes_into_another_company(draft: Application, rival_courier: Organisation) -> None:
    with scope(Scope.courier(rival_courier.pk)):
        assert sql("UPDATE couriers_application SET legal_name = 'stolen'") == 0
    with (
        pytest.raises(DatabaseError, match="row-level security"),
        scope(Scope.courier(rival_courier.pk)),
    ):
        Application.objects.create(organisation_id=draft.organisation_id)


def test_couriers_read_facilities_and_write_none(everything: None, hangzhou: City, courier: Actor) -> None:
    Facility.objects.create(name="East hub", city=hangzhou, kind="warehouse")
    with scope(Scope.of(courier)):
        assert Facility.objects.visible_to(courier).count() == 1
        assert Facility.objects.update(name="Mine") == 0


def test_who_may_not_apply_sees_no_application(
    submitted: Application, applicant: Actor, merchant: Actor
) -> None:
    suspended = Actor(
        kind="user",
        organisation_id=applicant.organisation_id,
        organisation_kind="courier",
        organisation_status=OrganisationStatus.SUSPENDED,
    )
    with scope(Scope.everything()):
        assert Application.objects.visible_to(applicant).count() == 1
        assert Document.objects.visible_to(suspended).count() == 0
        assert Document.objects.visible_to(merchant).count() == 0


def document(application: Application, **changes: object) -> Document:
    values: dict[str, object] = {
        "organisation": application.organisation,
        "application": application,
        "kind": DocumentKind.OTHER,
        "file": "documents/aa/bb.pdf",
        "name": "a.pdf",
        "content_type": "application/pdf",
        "size": 10,
        "sha256": "0" * 64,
    }
    return Document.objects.create(**(values | changes))
