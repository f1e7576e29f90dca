"""The application in the browser: each page, what it refuses, and who is kept out."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from alliance.models import Organisation
from alliance.tenancy import Actor, Scope, scope
from couriers.applications.services import applications, reviews
from couriers.choices import Step
from couriers.models import Application
from tests import factories
from tests.couriers.conftest import COMPANY, CONTACT, at, reread

pytestmark = pytest.mark.django_db
STEP_PAGES = ["company_edit", "contact_edit", "city_list", "document_list", "application_review"]
PAGES = ["application_edit", "application_view", *STEP_PAGES]
TYPED = {name: str(value) for name, value in (COMPANY | CONTACT).items()}


def decide(verb: Callable[..., Any], ops: Actor, application: Application, reason: str = "Permit!") -> None:
    with scope(Scope.everything()):
        verb(actor=ops, application_id=application.pk, reason=reason)


@pytest.mark.parametrize("page", PAGES)
def test_strangers_log_in_first(client: Client, page: str) -> None:
    response = client.get(at(page))
    assert response.status_code == 302
    assert response["Location"].startswith(reverse("account_login"))


@pytest.mark.parametrize("page", PAGES)
def test_merchants_are_kept_out(merchant_client: Client, page: str) -> None:
    assert merchant_client.get(at(page)).status_code == 403


@pytest.mark.parametrize("page", PAGES)
def test_colleagues_who_may_not_apply_are_kept_out(
    agent_client: Client, draft: Application, page: str
) -> None:
    assert agent_client.get(at(page)).status_code == 403


@pytest.mark.parametrize("page", STEP_PAGES)
def test_another_courier_finds_nothing(courier_client: Client, draft: Application, page: str) -> None:
    assert courier_client.get(at(page)).status_code == 404


@pytest.mark.parametrize("page", ["application_start", "application_submit", "city_add", "city_remove"])
def test_verbs_are_not_links(applicant_client: Client, page: str) -> None:
    assert applicant_client.get(at(page)).status_code == 405


def test_a_user_without_a_company_founds_it_first(client: Client) -> None:
    client.force_login(factories.user("new@alliance.example"), backend=BACKEND)
    response = client.get(at("application_edit"))
    assert response["Location"] == reverse("onboarding") + "?kind=courier"


BACKEND = "django.contrib.auth.backends.ModelBackend"


def test_onboarding_leads_to_the_start(client: Client) -> None:
    client.force_login(factories.user("new@alliance.example"), backend=BACKEND)
    response = client.post(reverse("onboarding"), {"kind": "courier", "name": "Feiyan"}, follow=True)
    assert response.redirect_chain[-1][0] == at("application_edit")
    assert "Start the application" in response.text


def test_start_leads_to_the_first_step(applicant_client: Client) -> None:
    response = applicant_client.post(at("application_start"), follow=True)
    assert response.redirect_chain[-1][0] == at("company_edit")


def test_coming_back_leads_to_the_first_gap(
    applicant_client: Client, applicant: Actor, draft: Application
) -> None:
    with scope(Scope.of(applicant)):
        applications.save_application_step(
            actor=applicant, application_id=draft.pk, step=Step.COMPANY, values=COMPANY
        )
    assert applicant_client.get(at("application_edit"))["Location"] == at("contact_edit")


def test_a_complete_draft_leads_to_the_review(applicant_client: Client, complete: Application) -> None:
    assert applicant_client.get(at("application_edit"))["Location"] == at("application_review")


def test_a_member_without_an_application_sees_no_form(courier_client: Client) -> None:
    response = courier_client.get(at("application_edit"), follow=True)
    assert response.redirect_chain[-1][0] == at("application_view")
    assert "Your company is a member" in response.text


def test_saving_a_step_leads_to_the_next(applicant_client: Client, draft: Application) -> None:
    assert applicant_client.post(at("company_edit"), TYPED)["Location"] == at("contact_edit")
    assert applicant_client.post(at("contact_edit"), TYPED)["Location"] == at("city_list")
    kept = reread(draft)
    assert {name: getattr(kept, name) for name in COMPANY | CONTACT} == COMPANY | CONTACT


def test_saving_for_later_stays_and_keeps_what_there_is(applicant_client: Client, draft: Application) -> None:
    response = applicant_client.post(at("company_edit"), {"legal_name": "飞燕", "later": "yes"}, follow=True)
    assert response.redirect_chain[-1][0] == at("company_edit")
    assert "Saved." in response.text
    assert 'value="飞燕"' in response.text


@pytest.mark.parametrize(
    ("page", "field", "typed", "says"),
    [
        ("company_edit", "legal_name", "速" * 201, "At most 200 characters"),
        ("company_edit", "credit_code", "91330100799655058C", "check character"),
        ("company_edit", "permit_number", "?", "As printed on the permit"),
        ("company_edit", "founded_on", "2999-01-01", "in the future"),
        ("company_edit", "founded_on", "yesterday", "Enter a valid date"),
        ("company_edit", "fleet_size", "0", "a whole number from 1"),
        ("company_edit", "daily_capacity", "many", "Enter a whole number"),
        ("contact_edit", "contact_phone", "call me", "Enter a phone number"),
        ("contact_edit", "contact_email", "chen@", "valid email address"),
    ],
)
def test_a_wrong_field_says_so_beside_itself(
    applicant_client: Client, draft: Application, page: str, field: str, typed: str, says: str
) -> None:
    response = applicant_client.post(at(page), TYPED | {field: typed})
    assert response.status_code == 422
    assert list(response.context["form"].errors) == [field]
    assert says in response.context["form"].errors[field][0]
    assert f'href="#id_{field}"' in response.text
    assert getattr(reread(draft), field) != typed


def test_markup_in_a_name_stays_text(applicant_client: Client, draft: Application) -> None:
    applicant_client.post(at("company_edit"), {"legal_name": "<script>alert(1)</script>"})
    page = applicant_client.get(at("application_review")).text
    assert "<script>alert(1)" not in page
    assert "&lt;script&gt;alert(1)" in page


def test_the_review_links_to_what_is_missing(applicant_client: Client, draft: Application) -> None:
    page = applicant_client.get(at("application_review"))
    assert [gap["url"] for gap in page.context["gaps"]][-1].startswith(at("document_list"))
    assert "Submit the application" not in page.text


def test_submitting_with_gaps_names_them(applicant_client: Client, draft: Application) -> None:
    response = applicant_client.post(at("application_submit"), {"confirmed": "on"})
    assert response.status_code == 422
    assert "Still missing" in response.text
    assert reread(draft).state == "draft"


def test_submitting_needs_the_confirmation(applicant_client: Client, complete: Application) -> None:
    response = applicant_client.post(at("application_submit"), {})
    assert response.status_code == 422
    assert list(response.context["form"].errors) == ["confirmed"]
    assert reread(complete).state == "draft"


def test_submitting_leads_to_the_status(applicant_client: Client, complete: Application) -> None:
    response = applicant_client.post(at("application_submit"), {"confirmed": "on"}, follow=True)
    assert response.redirect_chain[-1][0] == at("application_view")
    assert "Your application is being reviewed" in response.text


def test_a_second_tab_that_submits_learns_that_it_is_done(
    applicant_client: Client, submitted: Application
) -> None:
    response = applicant_client.post(at("application_submit"), {"confirmed": "on"}, follow=True)
    assert response.status_code == 200
    with scope(Scope.everything()):
        assert submitted.events.count() == 1


def test_the_language_of_the_applicant_is_remembered(applicant_client: Client, complete: Application) -> None:
    headers = {"Accept-Language": "zh-hans"}
    applicant_client.post(at("application_submit"), {"confirmed": "on"}, headers=headers)
    assert reread(complete).language == "zh-hans"


@pytest.mark.parametrize("page", ["company_edit", "contact_edit", "document_list"])
def test_a_stale_tab_that_saves_is_told_why_not(
    applicant_client: Client, submitted: Application, page: str
) -> None:
    response = applicant_client.post(at(page), TYPED | {"kind": "other"}, follow=True)
    assert response.redirect_chain[-1][0] == at("application_view")
    assert "cannot be changed now" in response.text
    assert reread(submitted).legal_name == COMPANY["legal_name"]


def test_what_is_asked_for_is_shown_on_every_step(
    applicant_client: Client, submitted: Application, ops: Actor
) -> None:
    decide(reviews.request_more, ops, submitted, "Scan <b>again</b>.\nIn colour.")
    for page in STEP_PAGES:
        text = applicant_client.get(at(page)).text
        assert "Scan &lt;b&gt;again&lt;/b&gt;.<br>In colour." in text
    assert "More information needed" in applicant_client.get(at("application_view")).text


def test_resubmitting_after_more_was_asked_for(
    applicant_client: Client, submitted: Application, ops: Actor
) -> None:
    decide(reviews.request_more, ops, submitted)
    applicant_client.post(at("contact_edit"), CONTACT | {"contact_name": "王 伟"})
    applicant_client.post(at("application_submit"), {"confirmed": "on", "note": "Here it is."})
    kept = reread(submitted)
    assert (kept.state, kept.contact_name) == ("submitted", "王 伟")
    assert "Here it is." in applicant_client.get(at("application_view")).text


def test_approved_the_page_leads_to_the_dashboard(
    applicant_client: Client, submitted: Application, ops: Actor
) -> None:
    decide(reviews.approve_application, ops, submitted, "Glad to have you.")
    page = applicant_client.get(at("application_edit"), follow=True)
    assert page.redirect_chain[-1][0] == at("application_view")
    assert "Glad to have you." in page.text
    assert f'href="{reverse("home")}"' in page.text


def test_rejected_the_reason_is_shown_and_a_new_one_may_be_started(
    applicant_client: Client, submitted: Application, ops: Actor
) -> None:
    decide(reviews.reject_application, ops, submitted, "The permit has run out.")
    assert "The permit has run out." in applicant_client.get(at("application_view")).text
    page = applicant_client.post(at("application_start"), follow=True)
    assert page.redirect_chain[-1][0] == at("document_list")
    # The old decision stays where it can be read.
    assert "The permit has run out." in applicant_client.get(at("application_view")).text


def test_organisations_keep_their_applications_apart(
    applicant_client: Client, complete: Application, rival_courier: Organisation, courier_client: Client
) -> None:
    assert COMPANY["legal_name"] in applicant_client.get(at("application_review")).text
    assert COMPANY["legal_name"] not in courier_client.get(at("application_view")).text


def test_stale_tab_does_not_put_old_company_data_back(
    applicant_client: Client, applicant: Actor, draft: Application
) -> None:
    opened = re.search(r'name="opened_with" value="([^"]*)"', applicant_client.get(at("company_edit")).text)
    assert opened is not None
    with scope(Scope.everything()):
        Application.objects.filter(pk=draft.pk).update(permit_number="浙邮99999999Z")
    response = applicant_client.post(at("company_edit"), {**TYPED, "opened_with": opened[1]})
    assert response.status_code == 422
    assert "and is “浙邮99999999Z” now" in response.text
    with scope(Scope.everything()):
        assert reread(draft).permit_number == "浙邮99999999Z"
