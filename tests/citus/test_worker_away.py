"""With a worker away, organisations, members, keys, users and couriers are changed as always."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.core import mail
from django.db import connection
from django.test import Client
from django.urls import reverse

from alliance import audit
from alliance.choices import OrganisationStatus, Role
from alliance.database import cluster
from alliance.health import readiness
from alliance.members.services.actors import actor_of_user
from alliance.models import ApiKey, City, Contact, Invitation, Member, Organisation, User
from alliance.tenancy import Actor, Scope, scope
from couriers.applications.services import applications
from couriers.choices import DocumentKind, Step
from couriers.documents import services as documents
from couriers.models import Application, Courier
from tests import factories
from tests.citus import servers
from tests.couriers.conftest import COMPANY, CONTACT, make_applicant
from tests.couriers.helpers import files

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(params=["first", "last"])
def away(request: pytest.FixtureRequest) -> Iterator[str]:
    """Each of two workers in turn: events about no parcel are on one of them."""
    with servers.worker_away(connection.settings_dict["NAME"], last=request.param == "last"):
        [name] = cluster.missing_workers()
        yield name


@pytest.fixture
def submitted(hangzhou: City, settings: object, tmp_path: object) -> Application:
    settings.MEDIA_ROOT = tmp_path  # type: ignore[attr-defined]
    actor = actor_of_user(factories.member_user("owner@feiyan.example", make_applicant("Feiyan Express")))
    with scope(Scope.of(actor)):
        application = applications.start_application(actor=actor)
        asked: dict[str, Any] = {"actor": actor, "application_id": application.pk}
        applications.save_application_step(**asked, step=Step.COMPANY, values=COMPANY)
        applications.save_application_step(**asked, step=Step.CONTACT, values=CONTACT)
        applications.add_service_cities(**asked, city_ids=[hangzhou.pk])
        for kind in (DocumentKind.BUSINESS_LICENCE, DocumentKind.EXPRESS_PERMIT):
            documents.add_document(**asked, kind=kind, upload=files.upload(f"{kind}.pdf"))
        return applications.submit_application(actor=actor, application_id=application.pk)


def test_a_merchant_signs_up(away: str, client: Client) -> None:
    email, password = "new@alliance.example", factories.PASSWORD
    data = {"kind": "merchant", "email": email, "password1": password, "password2": password}
    client.post(reverse("account_signup"), data)
    address = re.search(r"http://127.0.0.1:8000(/accounts/confirm-email/\S+)", str(mail.outbox[-1].body))
    assert address is not None
    client.post(address[1])
    client.post(reverse("onboarding"), {"kind": "merchant", "name": "Lotus Tea"})
    with scope(Scope.everything()):
        member = Member.objects.select_related("organisation").get(user__email=email)
    assert (member.organisation.name, member.role) == ("Lotus Tea", Role.OWNER)


def test_ops_approve_a_courier_and_suspend_it(submitted: Application, away: str, ops_client: Client) -> None:
    approve = reverse("admin:couriers_application_approve", args=[submitted.pk])
    assert ops_client.post(approve, {"reason": ""}).status_code == 302
    suspend = reverse("admin:alliance_organisation_suspend", args=[submitted.organisation_id])
    assert ops_client.post(suspend, {"reason": "Asked for it."}).status_code == 302
    with scope(Scope.everything()):
        assert Courier.objects.get(pk=submitted.organisation_id).legal_name == COMPANY["legal_name"]
        status = Organisation.objects.get(pk=submitted.organisation_id).status
    assert status == OrganisationStatus.SUSPENDED


def test_an_owner_changes_organisation_members_and_keys(
    away: str, merchant_client: Client, merchant_organisation: Organisation
) -> None:
    colleague = factories.member_user("colleague@alliance.example", merchant_organisation, Role.AGENT)
    with scope(Scope.everything()):
        member = Member.objects.get(user=colleague)
    contact = {"contact_name": "Wu Lan", "contact_phone": "0571 8502 2099"}
    changes = {
        reverse("parcels:company_contact"): contact,
        reverse("member_edit", args=[member.pk]): {"role": Role.VIEWER},
        reverse("member_list"): {"email": "invited@alliance.example", "role": Role.AGENT},
        reverse("api_key_create"): {"name": "ERP", "resources": ["parcels:read"], "lifetime": "90"},
    }
    for address, data in changes.items():
        assert merchant_client.post(address, data).status_code in (200, 302), address
    with scope(Scope.everything()):
        assert Member.objects.get(pk=member.pk).role == Role.VIEWER
        assert Contact.objects.get(pk=merchant_organisation.pk).name == "Wu Lan"
        assert Invitation.objects.get().email == "invited@alliance.example"
        assert ApiKey.objects.get().name == "ERP"


def test_a_user_logs_in_and_gets_another_password(away: str, client: Client, merchant_user: User) -> None:
    password, address = "another-horse-battery", reverse("account_change_password")
    log_in = {"login": merchant_user.email, "password": factories.PASSWORD}
    assert client.post(reverse("account_login"), log_in).status_code == 302
    data = {"oldpassword": factories.PASSWORD, "password1": password, "password2": password}
    assert client.post(address, data).status_code == 302
    merchant_user.refresh_from_db()
    assert merchant_user.check_password(password)
    assert merchant_user.last_login is not None


def test_audit_log_is_read_without_the_names_of_what_waits(away: str, ops_client: Client) -> None:
    with scope(Scope.everything()):
        audit.record(actor=Actor.system("test"), verb="excuse.granted", object_type="excuse", object_id=7)
    page = ops_client.get(reverse("admin:alliance_auditentry_changelist"))
    assert page.status_code == 200
    assert "7" in [entry.object_id for entry in page.context["cl"].result_list]


def test_readiness_names_the_worker_and_serves_on(away: str) -> None:
    checks = readiness()
    assert checks["database"]["ok"]
    assert checks["nodes"] == {"ok": True, "missing": [away]}
