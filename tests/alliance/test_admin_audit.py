"""The audit in the admin: who did what, in words, and what the admin's own forms change."""

import re
from typing import Any

import pytest
from celery.schedules import crontab
from django.contrib import admin
from django.contrib.auth.models import Group
from django.test import Client, RequestFactory
from django.urls import reverse
from django.utils import translation
from django_celery_beat.models import CrontabSchedule, IntervalSchedule, PeriodicTask

from alliance import audit
from alliance.admin_history import AuditedMixin
from alliance.admin_schedule import PeriodicTaskAdmin
from alliance.admin_words import actor_text, detail_text
from alliance.members.services.contacts import set_contact
from alliance.models import AuditEntry, Organisation, User
from alliance.periodic_tasks import SCHEDULE
from alliance.tenancy import Actor, Scope, scope
from couriers.models import Facility
from slas.models import ServiceTier
from tests import factories

pytestmark = pytest.mark.django_db

AUDIT = "/admin/alliance/auditentry/"


@pytest.fixture
def entries(ops_user: User, merchant_organisation: Organisation) -> None:
    actor = Actor(kind="user", user_id=ops_user.pk, is_ops=True, label=ops_user.email)
    with scope(Scope.everything()):
        audit.record(
            actor=actor,
            verb="closure.declared",
            object_type="closure",
            object_id=12,
            organisation_id=merchant_organisation.pk,
            detail={"name": "台风贝碧嘉", "days": ["2026-11-03", "2026-11-04"], "whole": True},
        )
        audit.record(actor=Actor.system("beat"), verb="member.set", object_type="member", object_id=3)


def test_an_entry_is_read_in_words(entries: None, ops_client: Client) -> None:
    page = ops_client.get(AUDIT).content.decode()
    assert "台风贝碧嘉" in page
    assert "\\u" not in page
    assert "Lotus Tea" in page
    assert "3 Nov 2026, 4 Nov 2026" in page
    with scope(Scope.everything()):
        entry = AuditEntry.objects.get(verb="closure.declared")
    details = ops_client.get(f"{AUDIT}{entry.pk}/change/").content.decode()
    assert "ops@alliance.example" in details
    assert "台风贝碧嘉" in details


def test_entries_are_found_by_person_and_by_action(entries: None, ops_client: Client, ops_user: User) -> None:
    for query in (
        {"person": str(ops_user.pk)},
        {"action": "closure.declared"},
        {"q": "OPS@alliance.example"},
        {"q": "closure 12"},
    ):
        rows = ops_client.get(AUDIT, query).context_data["cl"].result_list  # type: ignore[attr-defined]
        assert [row.verb for row in rows] == ["closure.declared"], query
    everything = ops_client.get(AUDIT, {"person": "x"}).context_data["cl"].result_list  # type: ignore[attr-defined]
    assert len(everything) == 2


def test_a_detail_in_words() -> None:
    detail = {
        "role": {"before": "agent", "after": ""},
        "numbers": ["CA1", "CA2"],
        "whole": False,
        "note": None,
        "filters": {},
    }
    assert detail_text(detail) == "Role: Agent → –; Numbers: CA1, CA2; Whole: no; Note: –; Filters: –"
    codes = {
        "tier": "next_day",
        "number": 2,
        "valid_from": "2026-12-10T00:00:00+08:00",
        "format": "csv",
        "requested_by": "recipient",
        "fields": ["legal_name"],
    }
    with translation.override("zh-hans"):
        text = detail_text(codes)
    assert "编号：2" in text
    assert "2026年12月10日" in text
    assert "收件人" in text
    assert not re.search("[a-z]", text), text


def test_objects_of_entries_are_named(
    ops_client: Client, ops_user: User, merchant_organisation: Organisation
) -> None:
    actor = Actor(kind="user", user_id=ops_user.pk, is_ops=True, label=ops_user.email)
    with scope(Scope.everything()):
        for kind, number in (("organisation", merchant_organisation.pk), ("organisation", 999)):
            audit.record(actor=actor, verb="organisation.suspended", object_type=kind, object_id=number)
        tier = ServiceTier.objects.get(code="next_day").versions.get()
        audit.record(actor=actor, verb="tier_version.added", object_type="tier_version", object_id=tier.pk)
    page = ops_client.get(AUDIT).content.decode()
    assert "Organisation: Lotus Tea" in page
    assert "Tier version: Next day v1" in page
    # Of what is gone there is the id only.
    assert "Organisation 999" in page


@pytest.mark.parametrize(
    ("kind", "label", "text"),
    [
        ("system", "booking file 12", "下单文件 12"),
        ("system", "monthly closing", "月度关账"),
        ("api_key", "key ERP (ca_1)", "API 密钥 ERP (ca_1)"),
        ("user", "ops@alliance.example", "ops@alliance.example"),
    ],
)
def test_programs_are_named_in_the_readers_language(kind: str, label: str, text: str) -> None:
    with translation.override("zh-hans"):
        assert actor_text(AuditEntry(actor_kind=kind, actor_label=label)) == text


def test_making_somebody_a_superuser_is_audited(ops_client: Client, ops_user: User) -> None:
    person = factories.user("new@alliance.example")
    group = Group.objects.create(name="Night shift")
    values = {"name": "New", "is_active": "on", "is_staff": "on", "is_superuser": "on", "groups": [group.pk]}
    response = ops_client.post(f"/admin/alliance/user/{person.pk}/change/", values)
    assert response.status_code == 302
    with scope(Scope.everything()):
        [entry] = AuditEntry.objects.filter(verb="user.changed")
    assert (entry.user_id, entry.object_id) == (ops_user.pk, str(person.pk))
    assert entry.detail["is_superuser"] == {"before": "False", "after": "True"}
    assert entry.detail["groups"] == {"before": "", "after": "Night shift"}


def test_whatever_the_admins_own_forms_change_is_audited(rf: RequestFactory, ops_user: User) -> None:
    """The others save by services, which write the entry."""
    request = rf.get("/")
    request.user, request.actor = ops_user, Actor.system("test")  # type: ignore[attr-defined]
    by_form = {
        model.__name__
        for model, listing in admin.site._registry.items()
        if listing.has_change_permission(request) and "save_model" not in vars(type(listing))
        if not isinstance(listing, AuditedMixin)
    }
    assert by_form == set()


@pytest.mark.parametrize("model", sorted(admin.site._registry, key=lambda model: model._meta.label))
def test_history_leads_to_the_audit(ops_client: Client, model: Any) -> None:
    url = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_history", args=["7"])
    response = ops_client.get(url)
    assert response.status_code == 302
    assert response["Location"].startswith(f"{AUDIT}?q=")


def test_jobs_are_paused_by_superusers_and_changed_by_nobody(ops_client: Client, ops_user: User) -> None:
    interval = IntervalSchedule.objects.create(every=120, period="seconds")
    job = PeriodicTask.objects.create(name="sweep-overdue-test", task="x", interval=interval)
    jobs = "/admin/django_celery_beat/periodictask/"
    chosen = {"_selected_action": [job.pk]}
    for page in ("add/", f"{job.pk}/delete/"):
        assert ops_client.get(f"{jobs}{page}").status_code == 403
    assert ops_client.post(f"{jobs}{job.pk}/change/", {"name": "renamed"}).status_code == 403
    assert "every 2 minutes" in ops_client.get(jobs).content.decode()
    for action, enabled in (("pause", False), ("pause", False), ("resume", True)):
        ops_client.post(jobs, {"action": action, **chosen})
        job.refresh_from_db()
        assert job.enabled == enabled
    with scope(Scope.everything()):
        verbs = AuditEntry.objects.filter(object_type="periodic_task").order_by("pk")
        assert list(verbs.values_list("verb", flat=True)) == ["periodic_task.paused", "periodic_task.resumed"]
    User.objects.filter(pk=ops_user.pk).update(is_superuser=False)
    ops_client.post(jobs, {"action": "pause", **chosen})
    job.refresh_from_db()
    assert job.enabled


def test_times_of_jobs_are_said_in_words() -> None:
    for name, entry in SCHEDULE.items():
        ours = entry["schedule"]
        if isinstance(ours, crontab):
            times = CrontabSchedule.from_schedule(ours)
            text = PeriodicTaskAdmin(PeriodicTask, admin.site).timing(PeriodicTask(crontab=times))
            assert "*" not in text, name
            assert "/" not in text, name


# --- looking for things ---


def test_search_finds_organisations_and_pages(
    ops_client: Client, merchant_organisation: Organisation
) -> None:
    page = ops_client.get("/admin/search/", {"s": "lotus"}).content.decode()
    assert f"/admin/alliance/organisation/{merchant_organisation.pk}/change/" in page
    assert "/admin/slas/closure/" in ops_client.get("/admin/search/", {"s": "closures"}).content.decode()
    for odd in ("x\0y", "%", "长" * 500):
        assert ops_client.get("/admin/search/", {"s": odd}).status_code == 200


def test_a_facilitys_city_is_chosen_by_name(ops_client: Client) -> None:
    assert "admin-autocomplete" in ops_client.get("/admin/couriers/facility/add/").content.decode()
    answer = ops_client.get(
        "/admin/autocomplete/",
        {"term": "杭州", "app_label": "couriers", "model_name": "facility", "field_name": "city"},
    ).json()
    assert answer["results"]
    assert not Facility.objects.exists()


def test_pages_of_members_show_whom_to_ask(
    ops_client: Client, courier_organisation: Organisation, merchant_organisation: Organisation
) -> None:
    with scope(Scope.everything()):
        for organisation in (courier_organisation, merchant_organisation):
            set_contact(organisation.pk, {"contact_name": "陈晓燕", "contact_phone": "13800138000"})
    for page in (
        f"/admin/couriers/courier/{courier_organisation.pk}/change/",
        f"/admin/parcels/merchant/{merchant_organisation.pk}/change/",
    ):
        response = ops_client.get(page)
        assert response.status_code == 200
        assert "陈晓燕" in response.content.decode()
