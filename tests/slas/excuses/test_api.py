"""The API of excuses: listing, claiming with and without a file, withdrawing."""

from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.test.client import encode_multipart
from rest_framework.test import APIClient

from alliance.database.together import over_one_connection
from alliance.identifiers import tracking_number
from alliance.members.services.actors import actor_of_organisation
from alliance.members.services.api_keys import create_api_key
from alliance.models import Organisation
from alliance.tenancy import Actor, Scope, scope
from slas.excuses.services.decisions import excuse_breach
from slas.excuses.services.disruptions import Area, Cause, Period, declare_disruption, propose_excuses
from slas.models import Excuse
from tests.factories import LOTUS, SWIFT, pk_of
from tests.helpers.owner import execute_as_owner
from tests.slas.helpers.commitments import DAY, DELIVERY, NOON, Lane
from tests.slas.helpers.excuses import decided, late_parcel, picture

pytestmark = pytest.mark.django_db
URL = "/api/v1/excuses"


@pytest.fixture
def late(lane: Lane) -> int:
    # Disruptions are declared after parcels were read, and in one transaction.
    over_one_connection()
    with scope(Scope.everything()):
        return late_parcel(lane)


def body(parcel_id: int, **given: Any) -> dict[str, Any]:
    return {"tracking_number": tracking_number(parcel_id), "kind": "delivery", "reason": "weather", **given}


def key_of(organisation: Organisation, *scopes: str) -> APIClient:
    actor = actor_of_organisation(organisation, kind="user", role="owner")
    with scope(Scope.of(actor)):
        _key, token = create_api_key(actor=actor, name="other", scopes=set(scopes))
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {token}")
    return client


def problems(response: Any) -> list[tuple[str, str]]:
    assert response["Content-Type"] == "application/problem+json"
    return [(error["pointer"], error["code"]) for error in response.json().get("errors", [])]


class TestClaiming:
    def test_in_json(self, late: int, courier_api: APIClient) -> None:
        response = courier_api.post(URL, body(late, note="Typhoon"), format="json")
        assert response.status_code == 201
        result = response.json()
        assert response["Location"] == f"/api/v1/breaches/{result['tracking_number']}/delivery"
        assert result | {"id": 0, "claimed_at": ""} == {
            "id": 0, "tracking_number": tracking_number(late), "kind": "delivery", "courier": SWIFT,
            "courier_name": "Swift Express", "merchant": LOTUS, "merchant_name": "Lotus Tea",
            "state": "claimed", "reason": "weather", "note": "Typhoon", "claimed_by": "courier",
            "event": None, "evidence": "", "claimed_at": "", "decided_at": None, "decision_note": "",
        }  # fmt: skip

    def test_with_a_file(self, late: int, courier_api: APIClient, settings: Any, tmp_path: Path) -> None:
        settings.MEDIA_ROOT = str(tmp_path)
        response = courier_api.post(URL, body(late, file=picture()), format="multipart")
        assert response.status_code == 201
        assert response.json()["evidence"] == "proof.png"
        assert len(list(tmp_path.rglob("*.png"))) == 1

    def test_once_for_one_idempotency_key(self, late: int, courier_api: APIClient) -> None:
        first = courier_api.post(URL, body(late), format="json", headers={"Idempotency-Key": "a"})
        second_response = courier_api.post(URL, body(late), format="json", headers={"Idempotency-Key": "a"})
        assert (first.status_code, second_response.status_code) == (201, 201)
        assert first.json() == second_response.json()
        assert second_response["Idempotent-Replayed"] == "true"
        other = courier_api.post(URL, body(late, note="x"), format="json", headers={"Idempotency-Key": "a"})
        assert other.json()["type"] == "urn:alliance:problem:idempotency_key_reused"

    @pytest.mark.one_server("it deletes as the owner what the server wrote in the same transaction")
    def test_answer_is_not_repeated_before_the_claim_is_there(
        self, late: int, courier_api: APIClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # On a cluster: a worker was killed before it committed what the coordinator had.
        def send() -> Any:
            return courier_api.post(URL, body(late), format="json", headers={"Idempotency-Key": "a"})

        first = send()
        monkeypatch.setattr("slas.api.excuses.is_distributed", lambda: True)
        assert send().json() == first.json()
        execute_as_owner("DELETE FROM slas_excuse")
        again = send()
        assert (again.status_code, again["Retry-After"].isdecimal()) == (503, True)

    def test_once_for_one_key_with_a_file(
        self, late: int, courier_api: APIClient, settings: Any, tmp_path: Path
    ) -> None:
        """Every client draws another boundary each time it sends the same."""
        settings.MEDIA_ROOT = str(tmp_path)

        def send(boundary: str, **given: Any) -> Any:
            sent = encode_multipart(boundary, body(late, file=picture(), **given))
            kind = f"multipart/form-data; boundary={boundary}"
            return courier_api.post(URL, sent, content_type=kind, headers={"Idempotency-Key": "a"})

        first, again, other = send("one"), send("two"), send("three", note="x")
        assert (first.status_code, again.status_code) == (201, 201)
        assert first.json() == again.json()
        assert again["Idempotent-Replayed"] == "true"
        assert other.json()["type"] == "urn:alliance:problem:idempotency_key_reused"
        assert len(list(tmp_path.rglob("*.png"))) == 1

    def test_a_file_and_a_key_from_a_page(
        self, late: int, courier_client: Client, settings: Any, tmp_path: Path
    ) -> None:
        """A logged-in session reads a CSRF token from the form, which is then consumed already."""
        settings.MEDIA_ROOT = str(tmp_path)
        browser = Client(enforce_csrf_checks=True)
        browser.cookies = courier_client.cookies
        browser.get("/excuses/")
        headers = {"Idempotency-Key": "a", "X-CSRFToken": browser.cookies[settings.CSRF_COOKIE_NAME].value}
        response = browser.post(URL, body(late, file=picture()), headers=headers)
        assert (response.status_code, response.json()["evidence"]) == (201, "proof.png")

    @pytest.mark.parametrize(
        ("changes", "expected"),
        [
            ({"tracking_number": "CA123"}, ("/tracking_number", "tracking_number")),
            ({"tracking_number": None}, ("/tracking_number", "null")),
            ({"kind": "lunch"}, ("/kind", "invalid_choice")),
            ({"reason": "bad luck"}, ("/reason", "invalid_choice")),
            ({"reason": ""}, ("/reason", "invalid_choice")),
            ({"note": "x" * 2001}, ("/note", "max_length")),
            ({"file": "text"}, ("/file", "invalid")),
            ({"notes": "misspelt"}, ("/notes", "unknown_field")),
        ],
    )
    def test_wrong_input_is_pointed_at(
        self, late: int, courier_api: APIClient, changes: dict[str, Any], expected: tuple[str, str]
    ) -> None:
        response = courier_api.post(URL, body(late) | changes, format="json")
        assert response.status_code == 422
        assert problems(response) == [expected]

    def test_refused_file_has_a_reason(self, late: int, courier_api: APIClient) -> None:
        response = courier_api.post(URL, body(late, file=picture(content=b"")), format="multipart")
        assert (response.status_code, problems(response)) == (422, [("/file", "refused")])
        assert response.json()["errors"][0]["detail"] == "The file is empty."

    def test_claim_conflicts_have_codes(
        self, late: int, lane: Lane, courier_api: APIClient, system: Actor
    ) -> None:
        with scope(Scope.everything()):
            pending = lane.promise(NOON + 5 * DAY)
        response = courier_api.post(URL, body(pending), format="json")
        assert (response.status_code, response.json()["type"]) == (409, "urn:alliance:problem:no_breach")
        assert courier_api.post(URL, body(late, kind="pickup"), format="json").status_code == 422
        courier_api.post(URL, body(late), format="json")
        second_response = courier_api.post(URL, body(late), format="json")
        assert second_response.json()["type"] == "urn:alliance:problem:claimed"

    def test_is_for_keys_that_may(
        self,
        late: int,
        merchant_api: APIClient,
        courier_organisation: Organisation,
        rival_courier: Organisation,
    ) -> None:
        assert merchant_api.post(URL, body(late), format="json").status_code == 403
        reader = key_of(courier_organisation, "rates:read")
        assert reader.post(URL, body(late), format="json").status_code == 403
        assert reader.get(URL).status_code == 200
        rival = key_of(rival_courier, "rates:read", "excuses:claim")
        assert rival.post(URL, body(late), format="json").status_code == 422
        assert APIClient().post(URL, body(late), format="json").status_code == 401


class TestTakingBack:
    def test_until_it_is_decided(self, late: int, courier_api: APIClient, system: Actor) -> None:
        made = courier_api.post(URL, body(late), format="json").json()
        address = f"{URL}/{made['id']}/withdraw"
        for _time in range(2):
            response = courier_api.post(address)
            assert (response.status_code, response.json()["state"]) == (200, "withdrawn")
        second_response = courier_api.post(URL, body(late), format="json").json()
        with scope(Scope.everything()):
            decided(system, [Excuse.objects.get(pk=pk_of(second_response["id"]))], "grant")
        refused = courier_api.post(f"{URL}/{second_response['id']}/withdraw")
        assert (refused.status_code, refused.json()["type"]) == (409, "urn:alliance:problem:decided")

    def test_is_the_couriers_own(
        self, late: int, courier_api: APIClient, merchant_api: APIClient, rival_courier: Organisation
    ) -> None:
        response = courier_api.post(URL, body(late), format="json").json()
        address = f"{URL}/{response['id']}/withdraw"
        assert merchant_api.post(address).status_code == 403
        assert key_of(rival_courier, "excuses:claim").post(address).status_code == 404
        assert courier_api.post(f"{URL}/999999/withdraw").status_code == 404
        assert courier_api.get(address).status_code == 405


class TestList:
    @pytest.fixture
    def three(self, late: int, lane: Lane, courier_api: APIClient, system: Actor) -> list[int]:
        """Claimed by the courier; excused by the alliance; proposed by an event."""
        courier_api.post(URL, body(late), format="json")
        with scope(Scope.everything()):
            direct, touched = late_parcel(lane), late_parcel(lane)
            excuse_breach(actor=system, parcel_id=direct, kind=DELIVERY, reason="disaster")
            storm = declare_disruption(
                actor=system, name="Typhoon", reason="weather", area=Area(city=lane.destination),
                period=Period(NOON, NOON + DAY), declared_at=NOON + DAY,
            )  # fmt: skip
            propose_excuses(actor=system, cause=Cause.of_disruption(storm))
        return [late, direct, touched]

    def test_both_parties_read_the_same(
        self, three: list[int], courier_api: APIClient, merchant_api: APIClient
    ) -> None:
        answers = [client.get(URL).json() for client in (courier_api, merchant_api)]
        assert answers[0] == answers[1]
        assert {row["tracking_number"] for row in answers[0]["results"]} == set(map(tracking_number, three))
        assert {row["claimed_by"]: row["event"] for row in answers[0]["results"]} == {
            "courier": None, "ops": None, "event": "Typhoon",
        }  # fmt: skip
        assert answers[0]["counts_by_reason"] == [
            {"state": "claimed", "reason": "weather", "count": 2},
            {"state": "granted", "reason": "disaster", "count": 1},
        ]

    @pytest.mark.parametrize(
        ("query", "found"),
        [
            ({"state": "granted"}, 1),
            ({"reason": "weather"}, 2),
            ({"claimed_by": "event"}, 1),
            ({"kind": "pickup"}, 0),
            ({"from": "2016-01-01", "to": "2016-12-31"}, 0),
            ({"from": "2016-01-01"}, 3),
            ({"page_size": "2"}, 2),
        ],
        ids=str,
    )
    def test_filters(
        self, three: list[int], merchant_api: APIClient, query: dict[str, str], found: int
    ) -> None:
        assert len(merchant_api.get(URL, query).json()["results"]) == found

    def test_by_number(self, three: list[int], merchant_api: APIClient) -> None:
        [row] = merchant_api.get(URL, {"tracking_number": tracking_number(three[0]).lower()}).json()[
            "results"
        ]
        assert row["tracking_number"] == tracking_number(three[0])

    def test_pages(self, three: list[int], courier_api: APIClient) -> None:
        first = courier_api.get(URL, {"page_size": 2}).json()
        second = courier_api.get(first["next"]).json()
        numbers = [row["tracking_number"] for row in (*first["results"], *second["results"])]
        assert (len(numbers), len(set(numbers)), second["next"]) == (3, 3, None)

    @pytest.mark.parametrize(
        ("query", "expected"),
        [
            ({"state": "odd"}, ("/state", "invalid_choice")),
            ({"from": "yesterday"}, ("/from", "invalid")),
            ({"to": "0001-01-01"}, ("/to", "invalid")),
            ({"tracking_number": "CA1"}, ("/tracking_number", "tracking_number")),
            ({"cursor": "x"}, ("/cursor", "invalid")),
            ({"colour": "red"}, ("/colour", "unknown")),
        ],
        ids=str,
    )
    def test_wrong_queries_are_pointed_at(
        self, courier_api: APIClient, query: dict[str, str], expected: tuple[str, str]
    ) -> None:
        response = courier_api.get(URL, query)
        assert (response.status_code, problems(response)) == (422, [expected])
