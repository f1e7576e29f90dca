"""The pickers of the portal: service cities, documents, and the list of facilities."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from alliance.models import City
from alliance.tenancy import Actor, Scope, scope
from couriers.documents import services as documents
from couriers.models import Application, Document, Facility
from couriers.portal import facilities
from tests.couriers.conftest import at
from tests.couriers.helpers import files

pytestmark = pytest.mark.django_db


@pytest.fixture
def paper(applicant: Actor, draft: Application) -> Document:
    with scope(Scope.of(applicant)):
        return documents.add_document(
            actor=applicant, application_id=draft.pk, kind="other", upload=files.upload("营业执照.pdf")
        )


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


def test_a_document_is_uploaded_opened_and_removed(applicant_client: Client, draft: Application) -> None:
    sent = {"kind": "business_licence", "file": files.upload("营业执照.pdf")}
    page = applicant_client.post(at("document_list"), sent, follow=True)
    assert "营业执照.pdf was uploaded" in page.text
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
        ("licence.pdf", files.pdf()[:200], "incomplete"),
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
    assert "Upload it again" in response.text


@pytest.mark.parametrize("number", [0, 10**18, 99])
def test_a_document_that_is_none_is_not_found(applicant_client: Client, number: int) -> None:
    assert applicant_client.get(at("document_view", number)).status_code == 404


def test_facilities_are_read_by_couriers(courier_client: Client, hangzhou: City, everything: None) -> None:
    Facility.objects.create(name="East hub", city=hangzhou, kind="warehouse")
    assert "East hub" in courier_client.get(at("facility_list"), {"q": "hangzhou"}).text
    assert "East hub" not in courier_client.get(at("facility_list"), {"kind": "pickup_point"}).text


def test_more_facilities_than_are_shown_are_said_to_be_there(
    courier_client: Client, hangzhou: City, everything: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(facilities, "SHOWN", 2)
    for number in range(2):
        Facility.objects.create(name=f"Hub {number}", city=hangzhou, kind="warehouse")
    assert "are listed: enter a name" not in courier_client.get(at("facility_list")).text
    Facility.objects.create(name="Hub 2", city=hangzhou, kind="warehouse")
    page = courier_client.get(at("facility_list")).text
    assert "The first 2 are listed: enter a name or a city to find others." in page
    assert "Hub 2" not in page


@pytest.mark.parametrize("query", [{"kind": "castle"}, {"q": "x\0"}, {"q": "x" * 81}])
def test_facilities_of_no_kind_are_not_listed(
    courier_client: Client, hangzhou: City, everything: None, query: dict[str, str]
) -> None:
    Facility.objects.create(name="East hub", city=hangzhou, kind="warehouse")
    response = courier_client.get(at("facility_list"), query)
    assert response.status_code == 422
    assert list(response.context["form"].errors) == list(query)
    assert "East hub" not in response.text


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


QUERIES = 16
