"""Heavy work is limited, and a flood of one tenant leaves places for others."""

import copy
import gzip
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from typing import Any

import pytest
from django.test import Client
from rest_framework.test import APIClient

from alliance.errors import TooMany, Unavailable
from alliance.tenancy import ANONYMOUS, Actor
from alliance.web.admission import STRANGERS, Gate, Tenants, tenant_of
from alliance.web.board import BOARD, Board
from alliance.web.connections import ImpatientSocket


def gate(**options: Any) -> Gate:
    return Gate(**{"slots": 2, "places": 6, "share": 4, "patience": 0.01, **options})


def test_tenant_has_its_share_of_places_and_no_more() -> None:
    full = gate()
    with ExitStack() as stack:
        for _call in range(4):
            stack.enter_context(full.place("flood"))
        with pytest.raises(TooMany) as raised, full.place("flood"):
            pass
        assert raised.value.reason == "too_many_at_once"
        # What is left is for others.
        stack.enter_context(full.place("other"))
        stack.enter_context(full.place("third"))
        with pytest.raises(Unavailable) as refused, full.place("fourth"):
            pass
    assert refused.value.reason == "overloaded"
    assert raised.value.retry_after
    assert refused.value.retry_after
    with full.place("flood"), full.place("fourth"):
        pass


def test_who_waits_too_long_for_a_slot_is_sent_away_and_leaves_nothing_behind() -> None:
    full = gate(slots=1)
    with full.slot("one"), pytest.raises(Unavailable), full.slot("other"):
        pass
    with full.slot("other"):
        pass


def test_work_that_fails_gives_back_its_place_and_its_slot() -> None:
    narrow = gate(slots=1, places=1, share=1)
    for _try in range(3):
        with pytest.raises(ZeroDivisionError), narrow.place("one"), narrow.slot("one"):
            raise ZeroDivisionError


class Waiting(threading.Thread):
    """A thread that waits for a slot, records its turn, and holds the slot until it is released."""

    def __init__(self, gate: Gate, tenant: str, turns: list[str], *, is_long: bool = False) -> None:
        super().__init__(daemon=True)
        self.gate, self.tenant, self.turns, self.is_long = gate, tenant, turns, is_long
        self.go = threading.Event()

    def run(self) -> None:
        with self.gate.slot(self.tenant, is_long=self.is_long):
            self.turns.append(self.tenant)
            self.go.wait(30)


@contextmanager
def waiting(gate: Gate, *tenants: str) -> Iterator[tuple[list[Waiting], list[str]]]:
    """Let tenants wait in this order."""
    turns: list[str] = []
    threads = [Waiting(gate, tenant, turns) for tenant in tenants]
    for count, thread in enumerate(threads, start=1):
        thread.start()
        while len(gate._waiting) + len(turns) < count:
            time.sleep(0.001)
    try:
        yield threads, turns
    finally:
        for thread in threads:
            thread.go.set()
        for thread in threads:
            thread.join(30)


def test_turns_go_to_the_tenant_with_the_fewest() -> None:
    shared = gate(patience=30)
    with (
        shared.slot("flood"),
        waiting(shared, "flood", "flood", "other") as (threads, turns),
    ):
        assert turns == ["flood"]
        threads[0].go.set()
        threads[0].join(30)
        while len(turns) < 2:
            time.sleep(0.001)
        # Another of the flood came before, but the flood has a slot already.
        assert turns == ["flood", "other"]


@pytest.fixture
def elsewhere() -> Board:
    """A board on which another process has a long call of "flood" that runs, while others call."""
    board = Board()
    board.note_light_call()
    other = copy.copy(board)
    other.take_row(1)
    running = other.enter("flood")
    assert running is not None
    other.begin(running)
    return board


def test_long_call_waits_for_one_of_its_tenant_in_another_process(elsewhere: Board) -> None:
    shared = gate(board=elsewhere, patience=30)
    turns: list[str] = []
    thread = Waiting(shared, "flood", turns, is_long=True)
    thread.start()
    while not shared._waiting:
        time.sleep(0.001)
    # Who came later need not wait: short calls of the tenant, and long ones of others.
    with shared.slot("flood"), shared.slot("other", is_long=True):
        assert turns == []
    elsewhere.clear(1)
    thread.go.set()
    thread.join(30)
    assert turns == ["flood"]
    # It has left nothing behind.
    with shared.slot("flood", is_long=True):
        pass


def test_long_call_that_waits_too_long_for_those_of_its_tenant_sends_too_many(elsewhere: Board) -> None:
    shared = gate(board=elsewhere)
    with pytest.raises(TooMany) as raised, shared.slot("flood", is_long=True):
        pass
    assert raised.value.reason == "too_many_at_once"
    elsewhere.clear(1)
    with shared.slot("flood", is_long=True):
        pass


def test_long_calls_of_a_tenant_run_one_after_another_while_others_call() -> None:
    board = Board()
    board.note_light_call()
    shared = gate(board=board, slots=4)
    with shared.slot("flood", is_long=True), pytest.raises(TooMany), shared.slot("flood", is_long=True):
        pass
    wider = gate(board=board, slots=4, together=2)
    with wider.slot("flood", is_long=True), wider.slot("flood", is_long=True):
        pass


def test_credentials_of_one_organisation_are_one_tenant() -> None:
    tenants = Tenants()
    assert tenants.of("key 1") is None
    tenants.learn("key 1", 7)
    tenants.learn("key 2", 7)
    assert tenants.of("key 1") == tenants.of("key 2") == "organisation 7"
    # Revoked.
    tenants.learn("key 1", None)
    assert (tenants.of("key 1"), tenants.of("key 2")) == (None, "organisation 7")


@pytest.mark.parametrize(
    ("actor", "tenant"),
    [
        (ANONYMOUS, STRANGERS),
        (Actor(kind="api_key", organisation_id=7), "organisation 7"),
        (Actor(kind="user", user_id=3), "user 3"),
    ],
)
def test_tenant_is_the_organisation_and_strangers_are_one(actor: Actor, tenant: str) -> None:
    assert tenant_of(actor) == tenant


def test_strangers_have_one_place_between_them() -> None:
    open_to_all = gate()
    with open_to_all.place(STRANGERS):
        with pytest.raises(Unavailable), open_to_all.place(STRANGERS):
            pass
        with open_to_all.place("known"), open_to_all.place("known"):
            pass
    with open_to_all.place(STRANGERS):
        pass


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("limits", "status", "code"),
    [
        ({"WEB_SHARE": 0}, 429, "too_many_at_once"),
        ({"WEB_PLACES": 0}, 503, "overloaded"),
        ({"WEB_HEAVY": 0, "WEB_PATIENCE_SECONDS": 0}, 503, "overloaded"),
    ],
)
def test_call_beyond_capacity_has_retry_after_and_reads_go_on(
    merchant_api: APIClient, settings: Any, limits: dict[str, Any], status: int, code: str
) -> None:
    for name, value in limits.items():
        setattr(settings, name, value)
    response = merchant_api.post("/api/v1/parcels", {})
    assert (response.status_code, response["Content-Type"]) == (status, "application/problem+json")
    assert response.json()["type"] == f"urn:alliance:problem:{code}"
    assert 1 <= int(response["Retry-After"]) <= 4
    assert response.json()["request_id"]
    assert merchant_api.get("/api/v1/parcels").status_code == 200


@pytest.mark.django_db
@pytest.mark.parametrize("limit", ["WEB_SHARE", "API_RATE_PER_MINUTE"])
def test_refusal_of_more_than_allowed_is_held_back(
    merchant_api: APIClient, settings: Any, limit: str
) -> None:
    allowed = getattr(settings, limit)
    setattr(settings, limit, 0)
    plain, client = socket.socketpair()
    with closing(ImpatientSocket.over(plain)) as connection, closing(client):
        merchant_api.post("/api/v1/parcels", {}, **{"gunicorn.socket": connection})
        connection.sendall(b"an answer")
        connection.flush()
        client.setblocking(False)
        with pytest.raises(BlockingIOError):
            client.recv(100)
        connection.release()
        assert client.recv(100) == b"an answer"
        setattr(settings, limit, allowed)
        connection.begin()
        merchant_api.get("/api/v1/parcels", **{"gunicorn.socket": connection})
        assert not connection.hold


@pytest.mark.django_db
def test_long_calls_are_those_with_long_or_packed_bodies_and_reads_are_noted(
    merchant_api: APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    noted: list[bool] = []
    slot = Gate.slot

    def record_slot(self: Gate, tenant: str, *, is_long: bool) -> Any:
        noted.append(is_long)
        return slot(self, tenant, is_long=is_long)

    reads: list[str] = []
    monkeypatch.setattr(Gate, "slot", record_slot)
    monkeypatch.setattr(BOARD, "note_light_call", lambda: reads.append("read"))
    merchant_api.post("/api/v1/parcels", {})
    merchant_api.post("/api/v1/parcels", {"reference": "x" * 16 * 1024})
    packed = gzip.compress(b"{}")
    merchant_api.post(
        "/api/v1/parcels", packed, content_type="application/json", headers={"Content-Encoding": "gzip"}
    )
    assert noted == [False, True, True]
    assert reads == []
    merchant_api.get("/healthz")
    assert reads == []
    merchant_api.get("/api/v1/parcels")
    assert reads == ["read"]


@pytest.mark.django_db
def test_large_upload_of_a_person_has_a_place_too(courier_client: Client, settings: Any) -> None:
    settings.WEB_PLACES = 0
    settings.HEAVY_BODY_BYTES = 100
    response = courier_client.post("/scans/upload/", {"file": "x" * 200})
    assert response.status_code == 503
    assert response["Retry-After"]
    assert courier_client.get("/scans/upload/").status_code == 200


@pytest.mark.django_db
def test_calls_that_were_answered_hold_nothing(merchant_api: APIClient, settings: Any) -> None:
    settings.WEB_PLACES = settings.WEB_SHARE = settings.WEB_HEAVY = 1
    for body in ({}, {}, {}):
        assert merchant_api.post("/api/v1/parcels", body).status_code == 422


@pytest.mark.django_db
def test_unknown_keys_are_strangers_and_valid_ones_are_recognised(
    merchant_api: APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    tenants: list[str] = []
    place = Gate.place

    def record_place(self: Gate, tenant: str) -> Any:
        tenants.append(tenant)
        return place(self, tenant)

    monkeypatch.setattr(Gate, "place", record_place)
    made_up = APIClient(headers={"Authorization": "Bearer ca_0123456789_" + "x" * 43})
    assert made_up.post("/api/v1/parcels", {}).status_code == 401
    assert merchant_api.post("/api/v1/parcels", {}).status_code == 422
    assert tenants[0] == STRANGERS
    assert tenants[1].startswith("organisation ")
