"""Exports on the page, in the API and in the admin."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from rest_framework.test import APIClient

from alliance.choices import Role
from alliance.models import Organisation
from alliance.public_ids import IdKind, public_id
from alliance.tenancy import Actor, Scope, scope
from slas.choices import ExportState
from slas.exports.services.requests import link_of
from slas.exports.services.writing import write_export
from slas.models import Export
from slas.rates.services.folding import fold_tallies
from tests.factories import id_of, pk_of
from tests.parcels.helpers.parcel_views import client_of, text_of
from tests.slas.helpers.commitments import Lane
from tests.slas.helpers.exports import FIRST, LAST, ask, owner, read_csv, reread, some_promises, written

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("media")]
FORM = {"content": "commitments", "format": "csv", "from": FIRST.isoformat(), "to": LAST.isoformat()}


@pytest.fixture
def promised(lane: Lane) -> list[int]:
    with scope(Scope.everything()):
        parcels = some_promises(lane, 6)
    fold_tallies()
    return parcels


def only_export() -> Export:
    with scope(Scope.everything()):
        return Export.objects.get()


def body_of(response: Any) -> bytes:
    return b"".join(response.streaming_content)


# --- the page ----------------------------------------------------------------------------------


def test_page_without_exports_shows_a_note(merchant_client: Client) -> None:
    response = merchant_client.get("/exports/")
    assert response.status_code == 200
    assert "No file yet" in text_of(response)
    assert "hx-get" not in response.content.decode().split('id="exports"')[1].split(">")[0]


def test_file_is_requested_followed_and_downloaded(promised: list[int], merchant_client: Client) -> None:
    assert merchant_client.post("/exports/", FORM).status_code == 302
    waiting = merchant_client.get("/exports/")
    assert "Waiting" in text_of(waiting)
    # The page refreshes itself while a file is being written.
    assert 'hx-trigger="every 2s"' in waiting.content.decode()
    export = only_export()
    assert write_export(export_id=export.pk, rows_a_slice=4, stretch=timedelta(0)) is False
    running = merchant_client.get("/exports/").content.decode()
    assert f'id="export-{export.pk}"' in running
    done = only_export().done
    # A slice of four at most, on a cluster less: it is cut where a shard's part of it ends.
    assert 0 < done <= 4
    assert f'value="{done}" max="6"' in running
    assert write_export(export_id=export.pk)
    page = merchant_client.get("/exports/").content.decode()
    assert 'hx-trigger="every 2s"' not in page
    url = page.split(f'href="/exports/{export.pk}/file/?')[1].split('"')[0].replace("&amp;", "&")
    response = merchant_client.get(f"/exports/{export.pk}/file/?{url}")
    assert response["Content-Type"] == "text/csv; charset=utf-8"
    assert response["Content-Disposition"] == f'attachment; filename="commitments-{FIRST}-{LAST}.csv"'
    assert response["Cache-Control"] == "private, no-store"
    assert body_of(response) == Path(reread(export).file.path).read_bytes()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"from": ""}, "required"),
        ({"from": "yesterday"}, "valid date"),
        ({"from": LAST.isoformat(), "to": FIRST.isoformat()}, "end date is before the start date"),
        ({"from": (LAST - timedelta(days=366)).isoformat()}, "at most 366 days"),
        ({"content": "recipients"}, "valid choice"),
        ({"format": "xlsx"}, "valid choice"),
        ({"from": "9999-12-01", "to": "9999-12-31"}, "no parcels before 2016 or after 2085"),
    ],
)
def test_a_wish_that_cannot_be_is_answered_beside_its_field(
    merchant_client: Client, changes: dict[str, str], message: str
) -> None:
    response = merchant_client.post("/exports/", {**FORM, **changes})
    assert response.status_code == 422
    assert message in text_of(response)


def test_a_fourth_file_at_once_is_refused_in_words(merchant_client: Client, merchant: Actor) -> None:
    for _number in range(3):
        ask(merchant)
    response = merchant_client.post("/exports/", FORM)
    assert response.status_code == 409
    assert "3 files are already being prepared" in text_of(response)


def test_other_pages_fill_the_form_in(merchant_client: Client) -> None:
    page = merchant_client.get("/exports/?content=rates&from=2026-01-01&to=2026-01-31").content.decode()
    assert 'value="2026-01-01"' in page
    assert '<option value="rates" selected>' in page
    assert "/exports/?content=rates&amp;from=" in merchant_client.get("/rates/").content.decode()
    assert "/exports/?content=commitments" in merchant_client.get("/breaches/").content.decode()


@pytest.mark.parametrize("query", [{"content": "gossip"}, {"format": "xls"}, {"from": "yesterday"}])
def test_link_with_invalid_parameters_is_refused(merchant_client: Client, query: dict[str, str]) -> None:
    response = merchant_client.get("/exports/", query)
    assert (response.status_code, list(response.context["form"].errors)) == (422, list(query))


def test_a_viewer_sees_no_way_to_it(merchant_organisation: Organisation) -> None:
    viewer = client_of(merchant_organisation, Role.VIEWER)
    assert viewer.get("/exports/").status_code == 403
    assert "/exports/" not in viewer.get("/rates/").content.decode()


def test_an_agent_of_a_courier_gets_no_link_to_a_file_with_fees(
    promised: list[int], courier: Actor, courier_organisation: Organisation
) -> None:
    written(courier)
    agent = client_of(courier_organisation, Role.AGENT)
    page = agent.get("/exports/").content.decode()
    assert "Ready" in page
    assert "/file/?" not in page


def test_failed_and_expired_files_are_shown(merchant: Actor, merchant_client: Client) -> None:
    failed, expired = ask(merchant), ask(merchant)
    with scope(Scope.everything()):
        Export.objects.filter(pk=failed.pk).update(state=ExportState.FAILED, problem="The disk is full.")
        Export.objects.filter(pk=expired.pk).update(state=ExportState.EXPIRED, file="")
    text = text_of(merchant_client.get("/exports/"))
    assert "The disk is full." in text
    assert "Expired" in text
    assert "try again" not in text


def test_a_part_that_failed_is_told_and_when_it_is_tried_again(
    merchant: Actor, merchant_client: Client
) -> None:
    export = ask(merchant)
    with scope(Scope.everything()):
        Export.objects.filter(pk=export.pk).update(problem="The disk is full.")
    assert "The disk is full. We will try again after" in text_of(merchant_client.get("/exports/"))


def test_expired_link_gets_an_error_page(merchant: Actor, merchant_client: Client) -> None:
    export = written(merchant)
    with scope(Scope.everything()):
        Export.objects.update(expires_at=export.created_at - timedelta(days=400), state=ExportState.EXPIRED)
    response = merchant_client.get(f"/exports/{export.pk}/file/", link_of(reread(export)))
    assert response.status_code == 404
    assert "Export it again" in text_of(response)


def test_link_of_another_organisation_is_not_found(
    merchant: Actor, rival_merchant: Organisation, client: Client
) -> None:
    export = written(merchant)
    stranger = client_of(rival_merchant, Role.OWNER)
    assert stranger.get(f"/exports/{export.pk}/file/", link_of(export)).status_code == 404
    assert "No file yet" in text_of(stranger.get("/exports/"))
    led = client.get(f"/exports/{export.pk}/file/", link_of(export))
    assert led.status_code == 302
    assert "/login" in led["Location"]


@pytest.mark.parametrize("number", ["0", "99999999999999999999999"])
def test_a_number_no_file_has_is_not_there(merchant_client: Client, number: str) -> None:
    assert merchant_client.get(f"/exports/{number}/file/").status_code == 404


def test_the_list_costs_the_same_for_one_and_three_files(merchant: Actor, merchant_client: Client) -> None:
    costs = []
    # Figures in the menu are kept.
    merchant_client.get("/exports/")
    for _number in (1, 2, 3):
        ask(merchant)
        with CaptureQueriesContext(connection) as queries:
            merchant_client.get("/exports/")
        costs.append(len(queries))
    assert len(set(costs)) == 1, costs


# --- the API -----------------------------------------------------------------------------------


API = "/api/v1/exports"


def test_the_api_writes_a_file_and_gives_its_link(promised: list[int], merchant_api: APIClient) -> None:
    created = merchant_api.post(API, {**FORM, "format": "parquet"})
    assert created.status_code == 201
    answer = created.json()
    assert (answer["state"], answer["file_url"], answer["from"]) == ("queued", None, FIRST.isoformat())
    assert created["Location"] == f"{API}/{answer['id']}"
    early = merchant_api.get(f"{API}/{answer['id']}/file")
    assert (early.status_code, early.json()["type"]) == (403, "urn:alliance:problem:bad_link")
    assert write_export(export_id=pk_of(answer["id"]))
    done = merchant_api.get(created["Location"]).json()
    assert (done["state"], done["rows_done"], done["rows_total"]) == ("done", 6, 6)
    response = merchant_api.get(done["file_url"], HTTP_ACCEPT="application/vnd.apache.parquet")
    assert response.status_code == 200
    assert response["Content-Type"] == "application/vnd.apache.parquet"
    content = body_of(response)
    assert (content[:4], len(content)) == (b"PAR1", done["size_bytes"])


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/content"),
        ([], ""),
        ({**FORM, "content": "all"}, "/content"),
        ({**FORM, "from": "2026-13-01"}, "/from"),
        ({**FORM, "from": LAST.isoformat(), "to": FIRST.isoformat()}, "/to"),
        ({**FORM, "recipient": "x"}, "/recipient"),
    ],
)
def test_api_points_at_invalid_fields(merchant_api: APIClient, body: Any, pointer: str) -> None:
    response = merchant_api.post(API, body)
    assert response.status_code == 422
    assert pointer in [error["pointer"] for error in response.json()["errors"]]


def test_the_same_key_asks_for_one_file(merchant_api: APIClient) -> None:
    first = merchant_api.post(API, FORM, HTTP_IDEMPOTENCY_KEY="monthly")
    second_response = merchant_api.post(API, FORM, HTTP_IDEMPOTENCY_KEY="monthly")
    assert (second_response.status_code, second_response.json()) == (201, first.json())
    assert second_response["Idempotent-Replayed"] == "true"
    assert id_of(only_export()) == first.json()["id"]


def test_the_api_lists_page_by_page(merchant: Actor, merchant_api: APIClient, courier: Actor) -> None:
    exports = [written(merchant) for _number in range(3)]
    ask(courier)
    page = merchant_api.get(API, {"page_size": 2}).json()
    rest = merchant_api.get(page["next"]).json()
    listed = [item["id"] for item in page["results"] + rest["results"]]
    assert listed == [id_of(export) for export in reversed(exports)]
    with scope(Scope.everything()):
        Export.objects.filter(pk=exports[0].pk).delete()
    gone = merchant_api.get(page["next"]).json()
    assert (gone["results"], gone["next"]) == ([], None)


@pytest.mark.parametrize("path", ["", "/{id}", "/{id}/file"])
def test_unknown_parameters_are_refused(merchant: Actor, merchant_api: APIClient, path: str) -> None:
    export = ask(merchant)
    response = merchant_api.get(f"{API}{path.format(id=id_of(export))}", {"sort": "size"})
    assert response.status_code == 422
    assert response.json()["errors"][0]["pointer"] == "/sort"


def test_api_hides_files_of_others(merchant_api: APIClient, courier: Actor) -> None:
    export = written(courier)
    assert merchant_api.get(f"{API}/{id_of(export)}").status_code == 404
    assert merchant_api.get(f"{API}/{id_of(export)}/file", link_of(export)).status_code == 404


def test_a_key_without_the_scope_is_refused(courier_api: APIClient) -> None:
    for response in (
        courier_api.get(API),
        courier_api.post(API, FORM),
        courier_api.get(f"{API}/{public_id(IdKind.EXPORT, 1)}"),
    ):
        assert response.status_code == 403


def test_a_fourth_file_at_once_is_a_conflict(merchant: Actor, merchant_api: APIClient) -> None:
    for _number in range(3):
        ask(merchant)
    response = merchant_api.post(API, FORM)
    assert (response.status_code, response.json()["type"]) == (409, "urn:alliance:problem:exports_running")
    assert response["Retry-After"] == "30"


# --- the admin ---------------------------------------------------------------------------------

ADMIN = "/admin/slas/export"


def test_ops_ask_for_everybodys_and_see_all_files(
    promised: list[int], ops_client: Client, merchant: Actor, rival_merchant: Organisation
) -> None:
    written(merchant)
    ask(owner(rival_merchant))
    assert ops_client.post(f"{ADMIN}/add/", FORM).status_code == 302
    with scope(Scope.everything()):
        mine = Export.objects.get(organisation=None)
    assert write_export(export_id=mine.pk)
    assert len(read_csv(reread(mine))) == 6
    page = ops_client.get(f"{ADMIN}/").content.decode()
    assert page.count("/file/?") == 2
    assert "Bamboo Books" in page
    url = page.split(f'href="/exports/{mine.pk}/file/?')[1].split('"')[0].replace("&amp;", "&")
    assert body_of(ops_client.get(f"/exports/{mine.pk}/file/?{url}"))


def test_admin_shows_errors_at_the_fields(ops_client: Client) -> None:
    response = ops_client.post(f"{ADMIN}/add/", {**FORM, "to": "2016-01-01"})
    assert response.status_code == 422
    assert "end date is before the start date" in text_of(response)


def test_admin_cannot_delete_files(ops_client: Client, merchant: Actor) -> None:
    export = ask(merchant)
    assert ops_client.post(f"{ADMIN}/{export.pk}/delete/", {"post": "yes"}).status_code == 403
    assert only_export().pk == export.pk


def test_ops_resume_a_file_that_failed(ops_client: Client, merchant: Actor) -> None:
    export = ask(merchant, now=timezone.now())
    with scope(Scope.everything()):
        Export.objects.update(state=ExportState.FAILED, problem="The disk is full.", attempts=5)
    ops_client.post(f"{ADMIN}/", {"action": "go_on", "_selected_action": [export.pk]})
    resumed = reread(export)
    assert (resumed.state, resumed.attempts, resumed.problem) == (ExportState.QUEUED, 0, "")
