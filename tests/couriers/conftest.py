"""A company on its way in: its people, its application in every state."""

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from alliance.choices import OrganisationKind, OrganisationStatus, Role
from alliance.members.services.actors import actor_of_user
from alliance.members.services.organisations import free_slug
from alliance.models import City, Organisation, User
from alliance.tenancy import Actor, Scope, scope
from couriers.applications.services import applications
from couriers.choices import DocumentKind, Step
from couriers.documents import services as documents
from couriers.models import Application
from tests import factories
from tests.couriers.helpers import files

COMPANY: dict[str, Any] = {
    "legal_name": "杭州飞燕速递有限公司",
    "credit_code": "91330100799655058B",
    "permit_number": "浙邮20240123A",
    "founded_on": date(2012, 5, 8),
    "fleet_size": 120,
    "daily_capacity": 25_000,
}
CONTACT = {
    "contact_name": "陈晓燕",
    "contact_phone": "0571-8502 2088",
    "contact_email": "chen@feiyan.example",
}


def make_applicant(name: str) -> Organisation:
    with scope(Scope.everything()):
        return Organisation.objects.create(
            kind=OrganisationKind.COURIER,
            name=name,
            slug=free_slug(name),
            status=OrganisationStatus.APPLICANT,
        )


@pytest.fixture(autouse=True)
def _private_files(settings: Any, tmp_path: Path) -> None:
    settings.MEDIA_ROOT = tmp_path / "media"


@pytest.fixture
def applicant_organisation(db: None) -> Organisation:
    return make_applicant("Feiyan Express")


@pytest.fixture
def applicant_user(applicant_organisation: Organisation) -> User:
    return factories.member_user("owner@feiyan.example", applicant_organisation)


@pytest.fixture
def applicant(applicant_user: User) -> Actor:
    return actor_of_user(applicant_user)


@pytest.fixture
def applicant_client(applicant_user: User) -> Client:
    client = Client()
    client.force_login(applicant_user, backend="django.contrib.auth.backends.ModelBackend")
    return client


@pytest.fixture
def agent_client(applicant_organisation: Organisation) -> Client:
    """Somebody of the same company who may not apply for it."""
    client = Client()
    user = factories.member_user("agent@feiyan.example", applicant_organisation, Role.AGENT)
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


@pytest.fixture
def ops(ops_user: User) -> Actor:
    return actor_of_user(ops_user)


@pytest.fixture
def draft(applicant: Actor) -> Application:
    with scope(Scope.of(applicant)):
        return applications.start_application(actor=applicant)


@pytest.fixture
def fill_in(hangzhou: City) -> Callable[[Actor, Application], None]:
    def fill(actor: Actor, application: Application, **changes: Any) -> None:
        with scope(Scope.of(actor)):
            asked: dict[str, Any] = {"actor": actor, "application_id": application.pk}
            company = COMPANY | changes
            applications.save_application_step(**asked, step=Step.COMPANY, values=company)
            applications.save_application_step(**asked, step=Step.CONTACT, values=CONTACT)
            applications.add_service_cities(**asked, city_ids=[hangzhou.pk])
            for kind in (DocumentKind.BUSINESS_LICENCE, DocumentKind.EXPRESS_PERMIT):
                documents.add_document(**asked, kind=kind, upload=files.upload(f"{kind}.pdf"))
            application.refresh_from_db()

    return fill


@pytest.fixture
def complete(applicant: Actor, draft: Application, fill_in: Callable[..., None]) -> Application:
    fill_in(applicant, draft)
    return draft


@pytest.fixture
def submitted(applicant: Actor, complete: Application) -> Application:
    with scope(Scope.of(applicant)):
        return applications.submit_application(actor=applicant, application_id=complete.pk)


def at(name: str, *args: object) -> str:
    """The address of one of our pages."""
    return reverse(f"couriers:{name}", args=args)


def reread(application: Application) -> Application:
    with scope(Scope.everything()):
        application.refresh_from_db()
        return application


def states(application: Application) -> list[str]:
    """What the application went through, oldest first."""
    return [event.state for event in application.events.order_by("pk")]
