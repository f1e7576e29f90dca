"""Suspending and reinstating organisations."""

import pytest
from django.core import mail
from django.test import Client
from django.urls import reverse

from alliance import mails
from alliance.choices import OrganisationStatus
from alliance.errors import Conflict, InvalidInput, NotPermitted
from alliance.members.services.actors import actor_of_user
from alliance.members.services.standing import reinstate_organisation, suspend_organisation
from alliance.models import AuditEntry, Organisation, OutgoingMail, User
from alliance.tenancy import Actor, Scope, scope
from tests import factories
from tests.alliance.helpers.pages import html_of

pytestmark = pytest.mark.django_db


def suspend(organisation: Organisation) -> None:
    with scope(Scope.everything()):
        suspend_organisation(
            actor=Actor.system("test"), organisation_id=organisation.pk, reason="Unpaid fees."
        )


def send_mails() -> None:
    with scope(Scope.everything()):
        ids = list(OutgoingMail.objects.order_by("pk").values_list("pk", flat=True))
    for mail_id in ids:
        mails.send_mail(mail_id=mail_id)


def test_ops_suspend_and_reinstate_in_the_admin(
    ops_client: Client, merchant_organisation: Organisation, merchant_user: User
) -> None:
    merchant_user.language = "zh-hans"
    merchant_user.save()
    page = reverse("admin:alliance_organisation_change", args=[merchant_organisation.pk])
    address = reverse("admin:alliance_organisation_suspend", args=[merchant_organisation.pk])
    assert address in html_of(ops_client.get(page))
    assert ops_client.get(address).status_code == 200
    # Looking changes nothing, and a reason is needed.
    assert ops_client.post(address, {"reason": " "}).status_code == 422
    assert ops_client.post(address, {"reason": "Unpaid fees."}).status_code == 302
    with scope(Scope.everything()):
        merchant_organisation.refresh_from_db()
    assert merchant_organisation.status == OrganisationStatus.SUSPENDED
    again = reverse("admin:alliance_organisation_reinstate", args=[merchant_organisation.pk])
    assert ops_client.post(again, {"reason": "Paid."}).status_code == 302
    with scope(Scope.everything()):
        entries = list(
            AuditEntry.objects.filter(object_type="organisation").order_by("pk").values_list("verb", "detail")
        )
    assert entries == [
        ("organisation.suspended", {"reason": "Unpaid fees."}),
        ("organisation.reinstated", {"reason": "Paid."}),
    ]
    send_mails()
    assert [sent.to for sent in mail.outbox] == [[merchant_user.email]] * 2
    assert "Unpaid fees." in str(mail.outbox[0].body)
    assert "停用" in mail.outbox[0].subject


def test_others_do_not_suspend(merchant: Actor, merchant_organisation: Organisation) -> None:
    for actor in (merchant, Actor(kind="user", user_id=1, is_staff=True)):
        with pytest.raises(NotPermitted):
            suspend_organisation(actor=actor, organisation_id=merchant_organisation.pk, reason="Because.")


def test_applicants_are_decided_on_not_suspended(everything: None, system: Actor) -> None:
    applicant = factories.courier_organisation("New Wings", OrganisationStatus.APPLICANT)
    with pytest.raises(Conflict, match="applicant"):
        suspend_organisation(actor=system, organisation_id=applicant.pk, reason="Because.")
    with pytest.raises(InvalidInput):
        suspend_organisation(actor=system, organisation_id=applicant.pk, reason="x" * 1_001)


def test_suspending_again_changes_nothing(
    everything: None, system: Actor, merchant_organisation: Organisation
) -> None:
    for _time in range(2):
        suspend(merchant_organisation)
    assert AuditEntry.objects.filter(verb="organisation.suspended").count() == 1
    for _time in range(2):
        reinstate_organisation(actor=system, organisation_id=merchant_organisation.pk, reason="Paid.")
    assert AuditEntry.objects.filter(verb="organisation.reinstated").count() == 1


def test_users_see_a_page_that_says_so(merchant_client: Client, merchant_organisation: Organisation) -> None:
    suspend(merchant_organisation)
    page = merchant_client.get("/", follow=True)
    assert page.redirect_chain[-1][0] == reverse("suspended")
    refused = merchant_client.get(reverse("parcels:parcel_list"))
    assert refused.status_code == 403
    assert "Your organisation is suspended" in html_of(refused)


def test_keys_are_refused_with_a_code(
    merchant: Actor, courier: Actor, merchant_organisation: Organisation, courier_organisation: Organisation
) -> None:
    programs = [
        factories.api_client(merchant, {"parcels:read", "parcels:book"}),
        factories.api_client(courier, {"parcels:read", "scans:write"}),
    ]
    suspend(merchant_organisation)
    suspend(courier_organisation)
    for program in programs:
        response = program.get("/api/v1/parcels")
        assert response.status_code == 403
        assert response.json()["type"] == "urn:alliance:problem:organisation_suspended"
    # What is under way goes on: a courier may still send scans.
    assert programs[1].post("/api/v1/scans", [], format="json").status_code == 422


def test_last_days_log_in_decides_the_language_of_mails(client: Client) -> None:
    somebody = factories.user("somebody@alliance.example")
    client.cookies["django_language"] = "zh-hans"
    client.post(reverse("account_login"), {"login": somebody.email, "password": factories.PASSWORD})
    somebody.refresh_from_db()
    assert somebody.language == "zh-hans"


# --- staff ---


def test_staff_in_no_group_may_nothing(merchant_organisation: Organisation) -> None:
    client = factories.logged_in(factories.user("stray@alliance.example", is_staff=True))
    assert client.get("/")["Location"] == reverse("admin:index")
    assert "has no permissions yet" in html_of(client.get(reverse("admin:index")))
    change = reverse("admin:alliance_organisation_change", args=[merchant_organisation.pk])
    assert client.get(change).status_code == 403
    assert client.get(reverse("parcels:parcel_list")).status_code == 403
    # Nor does it found a company, as somebody who has just signed up would.
    assert client.get(reverse("onboarding"))["Location"] == reverse("admin:index")


@pytest.mark.parametrize(
    ("group", "may", "may_not"),
    [
        ("Operations", "couriers_application", ""),
        ("Customer service", "slas_excuse", "couriers_application"),
        ("Finance", "slas_statement", "slas_excuse"),
    ],
)
def test_groups_give_rights(group: str, may: str, may_not: str) -> None:
    client = factories.logged_in(factories.staff_user("staff@alliance.example", group))
    assert client.get(reverse(f"admin:{may}_changelist")).status_code == 200
    if may_not:
        assert client.get(reverse(f"admin:{may_not}_changelist")).status_code == 403
    assert client.get(reverse("admin:alliance_user_changelist")).status_code == 403


def test_deactivated_staff_may_nothing() -> None:
    user = factories.staff_user("staff@alliance.example")
    user.is_active = False
    assert actor_of_user(user).capabilities == frozenset()
