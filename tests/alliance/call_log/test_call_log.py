"""The request log: noted in memory, written in batches, dropped by days, read on the portal."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from alliance.call_log import buffer, writing
from alliance.call_log.buffer import BUFFER, Buffer, Call
from alliance.call_log.days import days, drop_old_days, make_day, table_of
from alliance.call_log.models import ApiCall
from alliance.call_log.rules import MASKED, id_at
from alliance.call_log.writing import WRITER, Writer, within_budget
from alliance.members.services.api_keys import create_api_key, revoke_api_key
from alliance.models import ApiKey
from alliance.tenancy import Actor, Scope, raw_rows, scope
from tests.alliance.helpers.pages import html_of

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 20, 23, 59, 59, tzinfo=UTC)
PARCELS = "/api/v1/parcels?page_size=1"


@pytest.fixture(autouse=True)
def _open_log(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Note calls, and let the test write them: on its own connection, in its transaction."""
    monkeypatch.setattr(writing, "close_old_connections", lambda: None)
    monkeypatch.setattr(writing, "_room", lambda _kind, wanted: wanted)
    BUFFER.calls.clear()
    BUFFER.dropped = BUFFER.sampled = 0
    BUFFER.is_open = True
    WRITER._days.clear()
    yield
    BUFFER.is_open = False
    BUFFER.calls.clear()
    WRITER._days.clear()
    WRITER._is_away, WRITER._pause = False, 0.0


def made(actor: Actor, *resources: str, **options: Any) -> tuple[ApiKey, Client]:
    with scope(Scope.of(actor)):
        key, token = create_api_key(
            actor=actor, name="ERP", resources=resources or ["parcels:read"], **options
        )
    return key, Client(headers={"authorization": f"Bearer {token}"}, REMOTE_ADDR="203.0.113.7")


def call(at: datetime = NOW, *, status: int = 200, organisation_id: int = 1) -> Call:
    path = ("/api/v1/parcels", "", "api/v1/parcels")
    return Call(at, organisation_id, 7, "GET", *path, status, 0.0123, "8a5ee1b0", b"", "203.0.113.7", 1)


def written() -> list[ApiCall]:
    WRITER.write_all()
    with scope(Scope.everything()):
        return list(ApiCall.objects.order_by("pk"))


# --- noting ---


def test_calls_are_noted_and_written_with_what_they_were(merchant: Actor) -> None:
    key, program = made(merchant)
    answer = program.get("/api/v1/parcels?page_size=1&search=Wang")
    refused = program.post("/api/v1/quotes", {"name": "王小明"}, content_type="application/json")
    first, second = written()
    assert (first.organisation_id, first.api_key_id) == (merchant.organisation_id, key.pk)
    assert (first.method, first.status) == ("GET", answer.status_code)
    assert first.path == f"/api/v1/parcels?page_size=1&search={MASKED}"
    assert first.route == "api/v1/parcels"
    assert first.request_id == answer["X-Request-Id"]
    assert first.address == "203.0.113.7"
    assert 0 <= first.duration_ms < 60_000
    assert abs(first.at - timezone.now()) < timedelta(minutes=1)
    assert (second.status, second.problem) == (403, "missing_scope")
    assert second.body["scope"] == "parcels:write"
    assert refused.json()["request_id"] == second.request_id


def test_errors_are_kept_with_pointers_and_without_what_was_sent(merchant: Actor) -> None:
    _key, program = made(merchant, "parcels:write")
    program.post("/api/v1/quotes", {"tier": "王小明"}, content_type="application/json")
    [only] = written()
    assert only.status == 422
    assert only.body["errors"]
    assert all(error["pointer"].startswith("/") and error["code"] for error in only.body["errors"])
    assert "王小明" not in str(only.body)


def test_refused_keys_are_in_the_log_and_unknown_ones_in_nobody_s(merchant: Actor) -> None:
    key, program = made(merchant)
    with scope(Scope.of(merchant)):
        revoke_api_key(actor=merchant, api_key_id=key.pk)
    program.get(PARCELS)
    Client(headers={"authorization": "Bearer ca_0000000000_" + "x" * 43}).get(PARCELS)
    Client(headers={"authorization": "Basic abc"}).get(PARCELS)
    Client().get(PARCELS)
    [only] = written()
    assert (only.status, only.problem, only.api_key_id) == (401, "key_revoked", key.pk)


def test_a_call_refused_before_its_key_is_read_is_known_by_its_credentials(merchant: Actor) -> None:
    with scope(Scope.of(merchant)):
        key, token = create_api_key(actor=merchant, name="ERP", resources=["parcels:read"])
    credentials = {"HTTP_AUTHORIZATION": f"Bearer {token}"}
    Client().get(PARCELS, **credentials)
    BUFFER.calls.clear()

    class Refused:
        META = credentials
        method, path, resolver_match, request_id = "POST", "/api/v1/parcels", None, "abcdefgh"

    class Answer:
        status_code, streaming, content = 429, False, b""

        def get(self, _name: str) -> str:
            return "text/plain"

    buffer.note_call(Refused(), Answer(), seconds=0.1, address="")  # type: ignore[arg-type]
    assert BUFFER.calls[0].api_key_id == key.pk


def test_noting_asks_the_database_nothing(merchant: Actor) -> None:
    _key, program = made(merchant)
    with CaptureQueriesContext(connection) as open_log:
        program.get(PARCELS)
    BUFFER.is_open = False
    with CaptureQueriesContext(connection) as closed:
        program.get(PARCELS)
    assert len(open_log) == len(closed)


def test_beyond_a_rate_successes_are_sampled(merchant: Actor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("alliance.call_log.rules.WHOLE_A_MINUTE", 2)
    draws = iter([0.9, 0.01, 0.9])
    monkeypatch.setattr(buffer, "random", lambda: next(draws))
    _key, program = made(merchant)
    for _n in range(5):
        assert program.get(PARCELS).status_code == 200
    assert program.get("/api/v1/manifests").status_code == 403
    assert [(each.status, each.stands_for) for each in BUFFER.calls] == [
        (200, 1), (200, 1), (200, buffer.ONE_IN), (403, 1),
    ]  # fmt: skip
    assert BUFFER.sampled == 2


def test_the_oldest_are_pushed_out_and_counted(settings: Any) -> None:
    settings.CALL_LOG_BUFFER = 3
    own = Buffer()
    for second in range(5):
        own.add(call(NOW + timedelta(seconds=second)))
    assert [each.at.second for each in own.calls] == [1, 2, 3]
    assert own.dropped == 2
    taken = own.take()
    own.add(call(NOW))
    own.put_back(taken)
    # The newest of what could not be written, before what came since.
    assert [each.at for each in own.calls] == [*(each.at for each in taken[1:]), NOW]
    assert own.dropped == 3


# --- writing ---


def test_rows_go_to_the_table_of_their_day(everything: None) -> None:
    for seconds in (0, 1, 2):
        BUFFER.add(call(NOW + timedelta(seconds=seconds)))
    assert WRITER.write_all() == 3
    counts = raw_rows(
        f"SELECT (SELECT count(*) FROM {table_of(NOW.date())}), (SELECT count(*) FROM ONLY alliance_apicall)"
    )
    # A table that is named itself shows nobody its rows: the parent's policies are not its own.
    assert counts == [(0, 0)]
    assert len(written()) == 3
    assert days()[-2:] == [NOW.date(), NOW.date() + timedelta(days=1)]


def test_one_batch_is_one_statement_and_may_be_written_twice(everything: None) -> None:
    BUFFER.calls.extend(call(NOW) for _n in range(100))
    make_day(NOW.date())
    with CaptureQueriesContext(connection) as sent:
        WRITER.write_all()
    assert sum(each["sql"].startswith("INSERT") for each in sent) == 1
    rows = [writing._row(call(NOW))]
    writing.insert(NOW.date(), rows)
    writing.insert(NOW.date(), rows)
    assert ApiCall.objects.count() == 101


def test_an_outage_is_no_error_and_one_line(
    everything: None, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_arguments: Any) -> None:
        raise OperationalError("server closed the connection unexpectedly")

    monkeypatch.setattr(writing, "insert", fail)
    writer, lines = Writer(BUFFER), []
    monkeypatch.setattr(writing.log, "warning", lambda event, **_rest: lines.append(event))
    monkeypatch.setattr(writing.log, "info", lambda event, **_rest: lines.append(event))
    BUFFER.add(call())
    pauses = []
    for _try in range(8):
        assert writer.write_all() == 0
        pauses.append(writer._pause)
    assert lines == ["call_log_not_written"]
    assert pauses == sorted(pauses)
    assert pauses[-1] == 60.0
    assert len(BUFFER.calls) == 1
    monkeypatch.undo()
    monkeypatch.setattr(writing, "close_old_connections", lambda: None)
    monkeypatch.setattr(writing.log, "info", lambda event, **_rest: lines.append(event))
    assert writer.write_all() == 1
    assert lines[1:] == ["call_log_written_again"]
    assert writer._pause == 0.0


def test_what_the_database_never_takes_does_not_stay(everything: None) -> None:
    BUFFER.add(call()._replace(address="nowhere"))
    assert WRITER.write_all() == 0
    assert not BUFFER.calls
    BUFFER.add(call())
    assert WRITER.write_all() == 1


def test_all_processes_keep_one_budget(monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    monkeypatch.undo()
    monkeypatch.setattr(writing.time, "time", lambda: 1_800_000_000.0)
    settings.CALL_LOG_ROWS_PER_SECOND = 2
    writing._redis().delete("call-log:good:180000000", "call-log:bad:180000000")
    first = within_budget([call() for _n in range(15)])
    second = within_budget([call() for _n in range(50)])
    third = within_budget([call() for _n in range(50)])
    failed = within_budget([call(status=500) for _n in range(4)])
    assert [len(first), len(second), len(third), len(failed)] == [15, 5, 0, 4]
    assert {each.stands_for for each in second} == {10}
    writing._redis().delete("call-log:good:180000000", "call-log:bad:180000000")


# --- days ---


def test_old_days_are_dropped_whole(everything: None, settings: Any) -> None:
    now = timezone.now()
    today = now.date()
    for back in (0, 1, 7, 8, 30):
        make_day(today - timedelta(days=back))
        make_day(today - timedelta(days=back))
    settings.CALL_LOG_DAYS = 7
    assert drop_old_days(now=now) == 2
    assert drop_old_days(now=now) == 0
    assert {today, today - timedelta(days=7)} <= {*days()}
    assert today - timedelta(days=8) not in days()


# --- who reads it ---


def test_nobody_reads_the_calls_of_others(merchant: Actor, rival_merchant: Any) -> None:
    BUFFER.add(call(organisation_id=merchant.tenant_id))
    WRITER.write_all()
    seen = {}
    for name, of in [("own", Scope.of(merchant)), ("rival", Scope.merchant(rival_merchant.pk))]:
        with scope(of):
            seen[name] = ApiCall.objects.count()
    assert seen == {"own": 1, "rival": 0}


@pytest.fixture
def log(merchant: Actor) -> tuple[ApiKey, list[ApiCall]]:
    key, program = made(merchant)
    other, second = made(merchant, "rates:read")
    program.get(PARCELS)
    program.get("/api/v1/manifests")
    second.get("/api/v1/rates?page_size=x")
    return key, written()


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("", [2, 1, 0]),
        ("key={key}", [1, 0]),
        ("answer=2", [0]),
        ("answer=4", [2, 1]),
        ("answer=5", []),
        ("path=/parcels", [0]),
        ("path=manifests", [1]),
        ("request_id={request_id}", [0]),
        ("request_id=unknown1", []),
        ("since=2020-01-01T00:00&until=2020-01-02T00:00", []),
        ("since=2020-01-01T00:00", [2, 1, 0]),
        ("since=0001-01-01T00:00&until=9999-12-31T00:00", [2, 1, 0]),
    ],
)
def test_the_list_is_searched(
    merchant_client: Client, log: tuple[ApiKey, list[ApiCall]], asked: str, found: list[int]
) -> None:
    key, calls = log
    query = asked.format(key=key.pk, request_id=calls[0].request_id)
    page = merchant_client.get(f"{reverse('api_call_list')}?{query}")
    assert page.status_code == 200
    assert [each.pk for each in page.context["calls"]] == [calls[place].pk for place in found]


@pytest.mark.parametrize("wrong", ["key=999999", "answer=9", "since=yesterday", "after=x"])
def test_a_wrong_filter_lists_nothing(merchant_client: Client, wrong: str) -> None:
    assert merchant_client.get(f"{reverse('api_call_list')}?{wrong}").status_code == 422


def test_a_call_shows_its_problem(merchant_client: Client, log: tuple[ApiKey, list[ApiCall]]) -> None:
    _key, calls = log
    html = html_of(merchant_client.get(reverse("api_call_show", args=[calls[1].pk])))
    assert "urn:alliance:problem:missing_scope" in html
    assert "manifests:read" in html
    assert calls[1].request_id in html
    assert merchant_client.get(reverse("api_call_show", args=[id_at(NOW)])).status_code == 404
    assert merchant_client.get(f"/api-calls/{'9' * 40}/").status_code == 404


# --- the thread ---


@pytest.mark.django_db(transaction=True)
def test_the_thread_writes_what_is_left_when_it_ends(merchant: Actor, settings: Any) -> None:
    settings.CALL_LOG_SECONDS = 30.0
    own = Buffer()
    writer = Writer(own)
    writer.begin()
    assert own.is_open
    # Of a day that can be dropped: a test of the tables there are would find it.
    own.add(call(NOW - timedelta(days=2_000), organisation_id=merchant.tenant_id))
    writer.end(seconds=10.0)
    try:
        with scope(Scope.everything()):
            assert ApiCall.objects.filter(organisation_id=merchant.tenant_id).count() == 1
    finally:
        assert drop_old_days() == 1
