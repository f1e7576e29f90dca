"""The application in the browser: each page, what it refuses, and who is kept out."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from alliance.models import City, Organisation
from alliance.tenancy import Actor, Scope, scope
from couriers.choices import Step
from couriers.models import Application, Document
from couriers.services import applications, documents, reviews
from tests import factories
from tests.couriers import files
from tests.couriers.conftest import COMPANY, CONTACT

pytestmark = pytest.mark.django_db
STEP_PAGES = ["company_edit", "contact_edit", "city_list", "document_list", "application_review"]
PAGES = ["application_edit", "application_view", *STEP_PAGES]
TYPED = {name: str(value) for name, value in (COMPANY | CONTACT).items()}


def at(name: str, *args: object) -> str:
    return reverse(f"couriers:{name}", args=args)


def reread(application: Application) -> Application:
    with scope(Scope.everything()):
        application.refresh_from_db()
        return application


def decide(verb: Callable[..., Any], ops: Actor, application: Application, reason: str = "Permit!") -> None:
    with scope(Scope.everything()):
        verb(actor=ops, application_id=application.pk, reason=reason)


@pytest.fixture
def paper(applicant: Actor, draft: Application) -> Document:
    with scope(Scope.of(applicant)):
        return documents.add_document(
            actor=applicant, application_id=draft.pk, kind="other", upload=files.upload("营业执照.pdf")
        )


# --- who is let in ----------------------------------------------------------------------------


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


# --- the way in -------------------------------------------------------------------------------


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


# --- company and contact ----------------------------------------------------------------------


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
        ("company_edit", "founded_on", "2999-01-01", "still to come"),
        ("company_edit", "founded_on", "yesterday", "Enter a valid date"),
        ("company_edit", "fleet_size", "0", "A whole number from 1"),
        ("company_edit", "daily_capacity", "many", "Enter a whole number"),
        ("contact_edit", "contact_phone", "call me", "Digits, spaces and hyphens"),
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


# --- cities -----------------------------------------------------------------------------------


@pytest.mark.parametrize("query", ["hangzhou", "杭州", "Zhejiang", "浙江"])
def test_cities_are_found_in_both_languages(applicant_client: Client, draft: Application, query: str) -> None:
    results = applicant_client.get(at("city_list"), {"q": query}).context["results"]
    assert "CN-HGH" in {city.code for city in results}


@pytest.mark.parametrize("query", ["", " ", "%", "x\x00y", "'; DROP TABLE", "长" * 500])
def test_odd_searches_are_answered(applicant_client: Client, draft: Application, query: str) -> None:
    assert applicant_client.get(at("city_list"), {"q": query}).status_code == 200


def test_without_scripts_a_city_is_added(
    applicant_client: Client, draft: Application, hangzhou: City
) -> None:
    response = applicant_client.post(at("city_add"), {"city": hangzhou.pk, "q": "hang"}, follow=True)
    assert response.redirect_chain[-1][0] == at("city_list") + "?q=hang"
    assert f"Remove {hangzhou.name_en}" in response.text


def test_with_htmx_the_picker_alone_comes_back(
    applicant_client: Client, draft: Application, hangzhou: City
) -> None:
    response = applicant_client.post(at("city_add"), {"city": hangzhou.pk, "q": "hang"}, headers=HTMX)
    assert response.status_code == 200
    assert "<html" not in response.text
    assert "You serve 1 city" in response.text


HTMX = {"HX-Request": "true"}


def test_a_whole_province_is_added_and_removed(applicant_client: Client, draft: Application) -> None:
    applicant_client.post(at("city_add"), {"all": "yes", "q": "zhejiang"})
    with scope(Scope.everything()):
        assert draft.cities.filter(code="CN-HGH").exists()
        assert draft.cities.count() > 5
    applicant_client.post(at("city_remove"), {"all": "yes"})
    with scope(Scope.everything()):
        assert draft.cities.count() == 0


@pytest.mark.parametrize("given", ["0", "-1", "x", "9" * 30, "１２x"])
def test_a_city_that_is_none_is_refused(applicant_client: Client, draft: Application, given: str) -> None:
    response = applicant_client.post(at("city_add"), {"city": given}, follow=True)
    assert response.status_code == 200
    with scope(Scope.everything()):
        assert draft.cities.count() == 0


def test_a_stale_picker_is_led_to_the_status(
    applicant_client: Client, submitted: Application, hangzhou: City
) -> None:
    response = applicant_client.post(at("city_add"), {"city": hangzhou.pk}, headers=HTMX)
    assert response["HX-Redirect"] == at("application_view")


# --- documents --------------------------------------------------------------------------------


def test_a_document_is_uploaded_opened_and_removed(applicant_client: Client, draft: Application) -> None:
    sent = {"kind": "business_licence", "file": files.upload("营业执照.pdf")}
    page = applicant_client.post(at("document_list"), sent, follow=True)
    assert "营业执照.pdf is uploaded" in page.text
    with scope(Scope.everything()):
        document = Document.objects.get()
    opened = applicant_client.get(at("document_view", document.pk))
    assert b"".join(opened) == files.pdf()
    assert opened["Content-Type"] == "application/pdf"
    assert opened["Content-Disposition"].startswith("inline")
    applicant_client.post(at("document_remove", document.pk))
    assert applicant_client.get(at("document_view", document.pk)).status_code == 404


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("licence.pdf", files.archive(), "ZIP archive"),
        ("licence.pdf", files.encrypted_pdf(), "password"),
        ("licence.pdf", files.pdf()[:200], "cut off"),
        ("licence.png", files.bomb(), "too many pixels"),
        ("licence.pdf", b"", "The file is empty"),
        ("licence.pdf", files.image("JPEG") + bytes(10 * 1024 * 1024), "at most 10 MB"),
    ],
    ids=lambda value: value if isinstance(value, str) else "content",
)
def test_what_is_no_document_is_refused_beside_the_field(
    applicant_client: Client, draft: Application, name: str, content: bytes, says: str
) -> None:
    sent = {"kind": "business_licence", "file": files.upload(name, content)}
    response = applicant_client.post(at("document_list"), sent)
    assert response.status_code == 422
    assert says in response.context["form"].errors["file"][0]


@pytest.mark.parametrize(("kind", "field"), [("selfie", "kind"), ("other", "file")])
def test_an_incomplete_upload_says_what_is_missing(
    applicant_client: Client, draft: Application, kind: str, field: str
) -> None:
    sent: dict[str, Any] = {"kind": kind}
    if field == "kind":
        sent["file"] = files.upload()
    response = applicant_client.post(at("document_list"), sent)
    assert list(response.context["form"].errors) == [field]


def test_a_document_named_as_a_page_is_still_no_page(applicant_client: Client, draft: Application) -> None:
    sent = {"kind": "other", "file": files.upload("evil.html", files.image("PNG"), "text/html")}
    applicant_client.post(at("document_list"), sent)
    with scope(Scope.everything()):
        document = Document.objects.get()
    opened = applicant_client.get(at("document_view", document.pk))
    assert b"".join(opened) == sent["file"].open().read()
    assert opened["Content-Type"] == "image/png"
    assert "evil.png" in opened["Content-Disposition"]
    assert opened["X-Content-Type-Options"] == "nosniff"
    assert "default-src 'none'" in opened["Content-Security-Policy"]
    assert opened["Cache-Control"] == "private, no-store"


def test_documents_are_opened_by_their_company_and_ops_alone(
    paper: Document,
    applicant_client: Client,
    agent_client: Client,
    courier_client: Client,
    merchant_client: Client,
    ops_client: Client,
) -> None:
    def status(visitor: Client) -> int:
        response = visitor.get(at("document_view", paper.pk))
        # Read to the end: closing it early would close the test's connection too.
        assert b"".join(response) is not None
        return response.status_code

    assert status(applicant_client) == status(ops_client) == 200
    assert status(agent_client) == status(courier_client) == status(merchant_client) == 404
    assert status(Client()) == 302


def test_another_courier_removes_nothing(paper: Document, courier_client: Client) -> None:
    assert courier_client.post(at("document_remove", paper.pk)).status_code == 404


def test_a_lost_file_is_said_plainly(paper: Document, applicant_client: Client) -> None:
    paper.file.storage.delete(paper.file.name)
    response = applicant_client.get(at("document_view", paper.pk))
    assert response.status_code == 404
    assert "upload it again" in response.text


@pytest.mark.parametrize("number", [0, 10**18, 99])
def test_a_document_that_is_none_is_not_found(applicant_client: Client, number: int) -> None:
    assert applicant_client.get(at("document_view", number)).status_code == 404


# --- submit and after -------------------------------------------------------------------------


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
    assert "Your application is being read" in response.text


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


# --- facilities -------------------------------------------------------------------------------


def test_facilities_are_read_by_couriers(courier_client: Client, hangzhou: City, everything: None) -> None:
    from couriers.models import Facility  # noqa: PLC0415

    Facility.objects.create(name="East hub", city=hangzhou, kind="warehouse")
    assert "East hub" in courier_client.get(at("facility_list"), {"q": "hangzhou"}).text
    assert "East hub" not in courier_client.get(at("facility_list"), {"kind": "pickup_point"}).text


def test_facilities_are_not_for_merchants_or_applicants(
    merchant_client: Client, applicant_client: Client
) -> None:
    assert merchant_client.get(at("facility_list")).status_code == 403
    assert applicant_client.get(at("facility_list")).status_code == 403


@pytest.mark.parametrize("rows", [1, 3])
def test_list_of_documents_costs_the_same_for_few_and_many(
    applicant_client: Client,
    applicant: Actor,
    draft: Application,
    rows: int,
    django_assert_num_queries: Callable[..., Any],
) -> None:
    with scope(Scope.of(applicant)):
        for mark in range(rows):
            documents.add_document(
                actor=applicant,
                application_id=draft.pk,
                kind="other",
                upload=files.upload(content=files.pdf(mark=str(mark))),
            )
    applicant_client.get(at("document_list"))
    with django_assert_num_queries(QUERIES):
        applicant_client.get(at("document_list"))


QUERIES = 20


def test_organisations_keep_their_applications_apart(
    applicant_client: Client, complete: Application, rival_courier: Organisation, courier_client: Client
) -> None:
    assert COMPANY["legal_name"] in applicant_client.get(at("application_review")).text
    assert COMPANY["legal_name"] not in courier_client.get(at("application_view")).text
