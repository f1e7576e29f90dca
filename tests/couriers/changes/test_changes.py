"""A courier's data after its approval: its contact, proposals, and corrections by ops."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from alliance.errors import Conflict, InvalidInput, NotFound, NotPermitted
from alliance.members.services.actors import actor_of_user
from alliance.members.services.contacts import contact_of
from alliance.models import AuditEntry, City, Member, Organisation, OutgoingMail, User
from alliance.tenancy import Actor, Scope, scope
from couriers.applications.queries import approved_cities
from couriers.applications.services import applications, reviews
from couriers.changes.services import (
    change_contact,
    correct_courier,
    decide_change,
    propose_change,
    propose_document,
    withdraw_change,
)
from couriers.choices import ChangeState
from couriers.models import Application, ChangeRequest, Courier, Document
from tests import factories
from tests.couriers.conftest import CONTACT
from tests.couriers.helpers.files import pdf

pytestmark = pytest.mark.django_db
PERMIT = "浙邮20260123B"


@pytest.fixture
def member(applicant: Actor, applicant_user: User, submitted: Application, ops: Actor) -> Actor:
    """The owner of a courier whose application was approved."""
    with scope(Scope.everything()):
        reviews.approve_application(actor=ops, application_id=submitted.pk)
        OutgoingMail.objects.all().delete()
    return actor_of_user(applicant_user)


@pytest.fixture
def member_client(member: Actor, applicant_user: User) -> Client:
    return factories.logged_in(applicant_user)


def courier_of(member: Actor) -> Courier:
    with scope(Scope.everything()):
        return Courier.objects.select_related("organisation").get(pk=member.organisation_id)


def contact_of_courier(member: Actor) -> dict[str, str]:
    with scope(Scope.everything()):
        return contact_of(member.tenant_id)


def propose(member: Actor, **values: Any) -> ChangeRequest:
    with scope(Scope.of(member)):
        return propose_change(actor=member, values=values)


def verbs() -> list[str]:
    with scope(Scope.everything()):
        return list(AuditEntry.objects.order_by("pk").values_list("verb", flat=True))


def test_contact_changes_at_once(member: Actor, member_client: Client) -> None:
    address = reverse("couriers:company_contact")
    response = member_client.post(address, {**CONTACT, "contact_phone": "0571-8502 9999"})
    assert response["Location"] == reverse("couriers:company_data")
    assert contact_of_courier(member)["contact_phone"] == "0571-8502 9999"
    assert "courier.contact_changed" in verbs()
    assert member_client.post(address, {**CONTACT, "contact_phone": ""}).status_code == 422


def test_proposal_waits_for_ops(member: Actor, member_client: Client, ops_client: Client) -> None:
    page = member_client.get(reverse("couriers:change_propose"))
    values = {**page.context["form"].initial, "permit_number": PERMIT}
    response = member_client.post(reverse("couriers:change_propose"), values, follow=True)
    assert "was sent to the alliance" in response.text
    assert courier_of(member).permit_number != PERMIT
    with scope(Scope.everything()):
        change = ChangeRequest.objects.get()
        [told] = OutgoingMail.objects.all()
    assert change.values == {"permit_number": PERMIT}
    assert told.to == "ops@alliance.example"
    shown = ops_client.get(reverse("admin:couriers_changerequest_change", args=[change.pk])).text
    assert PERMIT in shown
    assert change.before["permit_number"] in shown
    approve = reverse("admin:couriers_changerequest_approve", args=[change.pk])
    assert ops_client.post(approve, {"reason": ""}).status_code == 302
    assert courier_of(member).permit_number == PERMIT
    assert {"courier.change_proposed", "courier.change_approved"} <= set(verbs())
    with scope(Scope.everything()):
        assert OutgoingMail.objects.latest("pk").subject == "Change of your company data: Approved"
    assert "Approved" in member_client.get(reverse("couriers:company_data")).text


def test_decline_needs_a_reason_and_changes_nothing(member: Actor, ops_client: Client) -> None:
    change = propose(member, permit_number=PERMIT)
    decline = reverse("admin:couriers_changerequest_decline", args=[change.pk])
    assert ops_client.post(decline, {"reason": " "}).status_code == 422
    assert ops_client.post(decline, {"reason": "Send the permit."}).status_code == 302
    assert courier_of(member).permit_number != PERMIT
    with scope(Scope.everything()):
        change.refresh_from_db()
        assert (change.state, change.reason) == (ChangeState.DECLINED, "Send the permit.")


def test_cities_change_what_may_be_sold(member: Actor, ops: Actor, chengdu: City) -> None:
    with scope(Scope.everything()):
        before = approved_cities(member.tenant_id)
    assert before
    assert chengdu.pk not in before
    change = propose(member, cities=[*before, chengdu.pk])
    with scope(Scope.everything()):
        decide_change(actor=ops, change_id=change.pk, approve=True)
        assert approved_cities(member.tenant_id) == before | {chengdu.pk}


def test_a_company_cannot_change_its_cities_itself(member: Actor, chengdu: City) -> None:
    with scope(Scope.of(member)):
        application = Application.objects.get(organisation_id=member.organisation_id)
        with pytest.raises(Conflict):
            applications.add_service_cities(
                actor=member, application_id=application.pk, city_ids=[chengdu.pk]
            )


@pytest.mark.parametrize(
    "values",
    [
        {"credit_code": "123"},
        {"legal_name": ""},
        {"name": " "},
        {"name": "x" * 201},
        {"cities": []},
        {"cities": [999_999]},
        {"permit_number": "浙邮20240123A"},
    ],
)
def test_wrong_and_equal_values_are_not_proposed(member: Actor, values: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        propose(member, **values)


def test_one_proposal_waits_at_a_time(member: Actor, member_client: Client) -> None:
    change = propose(member, permit_number=PERMIT)
    with pytest.raises(Conflict, match="Withdraw it first"):
        propose(member, legal_name="另一个名字")
    withdraw = reverse("couriers:change_withdraw", args=[change.pk])
    for _time in range(2):
        assert member_client.post(withdraw).status_code == 302
    propose(member, legal_name="另一个名字")


def test_proposal_is_not_approved_over_newer_data(member: Actor, ops: Actor) -> None:
    change = propose(member, permit_number=PERMIT)
    with scope(Scope.everything()):
        correct_courier(
            actor=ops, courier_id=member.tenant_id, values={"permit_number": "浙邮20250123C"}, reason="Typo."
        )
        with pytest.raises(Conflict, match="changed since"):
            decide_change(actor=ops, change_id=change.pk, approve=True)


def test_staff_who_belong_to_the_company_do_not_decide(member: Actor, ops: Actor) -> None:
    change = propose(member, permit_number=PERMIT)
    with scope(Scope.everything()):
        Member.objects.create(organisation_id=member.tenant_id, user_id=ops.user_id, role="viewer")
        with pytest.raises(NotPermitted):
            decide_change(actor=ops, change_id=change.pk, approve=True)


def test_members_do_not_decide_or_correct(member: Actor) -> None:
    change = propose(member, permit_number=PERMIT)
    with scope(Scope.of(member)):
        with pytest.raises(NotPermitted):
            decide_change(actor=member, change_id=change.pk, approve=True)
        with pytest.raises(NotPermitted):
            correct_courier(actor=member, courier_id=member.tenant_id, values={}, reason="Mine.")


def test_ops_correct_a_courier(member: Actor, ops_client: Client) -> None:
    address = reverse("admin:couriers_courier_correct", args=[member.organisation_id])
    values = {**ops_client.get(address).context["form"].initial, "name": "Feiyan", "contact_name": "李雷"}
    assert ops_client.post(address, {**values, "reason": ""}).status_code == 422
    assert ops_client.post(address, {**values, "reason": "They called."}).status_code == 302
    courier = courier_of(member)
    assert (courier.organisation.name, contact_of_courier(member)["contact_name"]) == ("Feiyan", "李雷")
    assert verbs()[-1] == "courier.corrected"


def test_ops_correct_a_merchant_and_it_changes_its_contact(
    ops_client: Client, merchant_client: Client, merchant_organisation: Organisation, merchant_user: User
) -> None:
    address = reverse("admin:parcels_merchant_correct", args=[merchant_organisation.pk])
    values = {"name": "Lotus Tea House", "contact_name": "", "contact_phone": ""}
    assert ops_client.post(address, {**values, "reason": " "}).status_code == 422
    assert ops_client.post(address, {**values, "reason": "Renamed."}).status_code == 302
    data = {"contact_name": "王芳", "contact_phone": "13800000000", "name": "Evil"}
    assert merchant_client.post(reverse("parcels:company_contact"), data).status_code == 302
    with scope(Scope.everything()):
        organisation = Organisation.objects.select_related("contact").get(pk=merchant_organisation.pk)
    assert (organisation.name, organisation.contact.name) == ("Lotus Tea House", "王芳")
    assert verbs() == ["merchant.changed", "merchant.changed"]


def test_documents_are_added_after_the_approval(
    member: Actor, member_client: Client, fill_in: Callable[..., None]
) -> None:
    page = member_client.get(reverse("couriers:document_list"))
    assert page.status_code == 200
    with scope(Scope.of(member)):
        application = Application.objects.get(organisation_id=member.organisation_id)
        document = application.documents.first()
    assert document is not None
    # What was reviewed stays.
    remove = reverse("couriers:document_remove", args=[document.pk])
    assert remove not in page.text
    assert member_client.post(remove)["Location"] == reverse("couriers:application_view")


def test_couriers_without_a_contact_email_are_refused(member: Actor) -> None:
    with scope(Scope.of(member)), pytest.raises(InvalidInput):
        change_contact(actor=member, values={"contact_name": "A", "contact_phone": "0571-85022088"})


# --- documents -------------------------------------------------------------------------------


def upload(*, pages: int) -> SimpleUploadedFile:
    return SimpleUploadedFile("licence-2027.pdf", pdf(pages=pages), "application/pdf")


def documents_of(member: Actor) -> dict[int, str]:
    with scope(Scope.everything()):
        own = Document.objects.filter(organisation_id=member.tenant_id)
        return dict(own.values_list("pk", "name"))


def stored(member: Actor) -> list[bool]:
    with scope(Scope.everything()):
        return [
            Path(document.file.path).exists()
            for document in Document.objects.filter(organisation_id=member.tenant_id)
        ]


def replace(member: Actor, document_id: int, *, pages: int = 3) -> ChangeRequest:
    with scope(Scope.of(member)):
        return propose_document(actor=member, document_id=document_id, upload=upload(pages=pages))


@pytest.mark.parametrize("approve", [True, False])
def test_document_is_replaced_when_ops_approve(
    member: Actor, ops: Actor, approve: bool, django_capture_on_commit_callbacks: Any
) -> None:
    before = documents_of(member)
    old = min(before)
    request = replace(member, old)
    new = request.values["document"]["id"]
    assert set(documents_of(member)) == {*before, new}
    with scope(Scope.everything()):
        assert OutgoingMail.objects.filter(subject__isnull=False).exists()
    with django_capture_on_commit_callbacks(execute=True), scope(Scope.everything()):
        decide_change(actor=ops, change_id=request.pk, approve=approve, reason="Unreadable.")
    kept, gone = (new, old) if approve else (old, new)
    assert set(documents_of(member)) == {*before, new} - {gone}
    assert kept in documents_of(member)
    assert all(stored(member))
    assert "document.removed" in verbs()


def test_withdrawn_replacement_leaves_the_old_document(member: Actor) -> None:
    before = documents_of(member)
    request = replace(member, min(before))
    with scope(Scope.of(member)):
        withdraw_change(actor=member, change_id=request.pk)
    assert documents_of(member) == before


def test_one_replacement_waits_at_a_time_and_needs_another_file(member: Actor) -> None:
    old = min(documents_of(member))
    request = replace(member, old)
    with pytest.raises(Conflict):
        replace(member, old, pages=4)
    with scope(Scope.of(member)):
        withdraw_change(actor=member, change_id=request.pk)
    replace(member, old)


def test_pages_replace_and_show_what_waits(member_client: Client, member: Actor, ops_client: Client) -> None:
    old = min(documents_of(member))
    page = member_client.get(reverse("couriers:document_list")).content.decode()
    assert reverse("couriers:document_replace", args=[old]) in page
    url = reverse("couriers:document_replace", args=[old])
    assert member_client.post(url).status_code == 422
    broken = {"file": SimpleUploadedFile("x.pdf", b"%PDF-1.4 nothing")}
    assert "incomplete" in member_client.post(url, broken).content.decode()
    assert member_client.post(url, {"file": upload(pages=2)}).status_code == 302
    page = member_client.get(reverse("couriers:document_list")).content.decode()
    assert "Waits for review" in page
    assert "licence-2027.pdf" in member_client.get(reverse("couriers:company_data")).content.decode()
    with scope(Scope.everything()):
        request = ChangeRequest.objects.get()
    change = ops_client.get(reverse("admin:couriers_changerequest_change", args=[request.pk]))
    assert (
        reverse("couriers:document_view", args=[request.values["document"]["id"]]) in change.content.decode()
    )


def test_document_of_another_courier_is_not_found(courier: Actor, member: Actor) -> None:
    with pytest.raises(NotFound), scope(Scope.of(courier)):
        propose_document(actor=courier, document_id=min(documents_of(member)), upload=upload(pages=2))
