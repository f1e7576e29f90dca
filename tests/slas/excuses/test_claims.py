"""Claims: in time, once per breach, and withdrawn until decided."""

import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.files.storage import default_storage
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from alliance.choices import Role
from alliance.errors import AllianceError, Conflict, InvalidInput, NotAuthenticated, NotFound, NotPermitted
from alliance.models import AuditEntry, Event, Organisation
from alliance.tenancy import ANONYMOUS, Actor, Scope, scope
from slas.choices import ExcuseReason
from slas.commitments.services.settling import void_commitments
from slas.excuses.services import claims
from slas.excuses.services.claims import CLAIMED_WITHIN, forget_orphaned_evidence, take_back_claim
from slas.excuses.services.decisions import excuse_breach
from slas.models import Breach, Commitment, Excuse
from tests.slas.helpers.commitments import DAY, DELIVERY, NOON, PICKUP, Lane, reach
from tests.slas.helpers.excuses import agent_of, claimed, decided, late_parcel, picture, service, states

pytestmark = pytest.mark.django_db


@pytest.fixture
def late(everything: None, lane: Lane) -> int:
    return late_parcel(lane)


@pytest.fixture
def agent(lane: Lane) -> Actor:
    return agent_of(lane.courier)


def refusal(actor: Actor, parcel_id: int, **given: Any) -> tuple[str, str]:
    """The code and the message of the refusal."""
    with pytest.raises(AllianceError) as caught:
        claimed(actor, parcel_id, **given)
    error = caught.value
    return (error.errors[0].code, error.errors[0].pointer) if error.errors else (error.reason, error.detail)


def test_a_claim_waits_and_changes_no_rate(late: int, agent: Actor) -> None:
    excuse = claimed(agent, late, note=" Typhoon ", reason=ExcuseReason.WEATHER)
    assert (excuse.state, excuse.source, excuse.note) == ("claimed", "courier", "Typhoon")
    assert (excuse.decided_at, excuse.decided_by) == (None, None)
    assert not Commitment.objects.get(parcel_id=late).excused


def test_claim_is_sent_as_event_and_audited(late: int, agent: Actor) -> None:
    excuse = claimed(agent, late)
    event = Event.objects.get(topic="excuse.claimed")
    assert (event.parcel_id, event.merchant_id, event.courier_id) == (
        late, excuse.merchant_id, excuse.courier_id,
    )  # fmt: skip
    assert AuditEntry.objects.get(verb="excuse.claimed").object_id == str(excuse.pk)


@pytest.mark.parametrize("role", [Role.OWNER, Role.MANAGER, Role.AGENT])
def test_owners_managers_and_agents_claim(late: int, lane: Lane, role: Role) -> None:
    assert claimed(agent_of(lane.courier, role), late).state == "claimed"


@pytest.mark.parametrize("role", [Role.VIEWER, Role.FINANCE])
def test_others_of_the_courier_do_not(late: int, lane: Lane, role: Role) -> None:
    with pytest.raises(NotPermitted):
        claimed(agent_of(lane.courier, role), late)


def test_only_members_of_the_courier_claim(
    late: int, merchant: Actor, system: Actor, rival_courier: Organisation
) -> None:
    for actor in (merchant, system):
        with pytest.raises(NotPermitted):
            claimed(actor, late)
    with pytest.raises(NotFound):
        claimed(agent_of(rival_courier), late)
    with pytest.raises(NotAuthenticated):
        claimed(ANONYMOUS, late)
    assert states() == []


def test_the_window_is_fourteen_days_from_the_opening(late: int, lane: Lane, agent: Actor) -> None:
    opened = Breach.objects.get(parcel_id=late).opened_at
    code, said = refusal(agent, late, now=opened + CLAIMED_WITHIN + timedelta(seconds=1))
    assert code == "too_late"
    local = timezone.localtime(opened + 14 * DAY)
    assert f"{local:%-d}" in said
    assert f"{local:%H:%M}" in said
    assert claimed(agent, late, now=opened + CLAIMED_WITHIN).state == "claimed"


def test_only_a_standing_breach_is_claimed_for(late: int, lane: Lane, agent: Actor) -> None:
    pending = lane.promise(NOON + 5 * DAY)
    assert refusal(agent, pending)[0] == "no_breach"
    assert refusal(agent, late, kind=PICKUP)[0] == "not_found"
    assert refusal(agent, 12345)[0] == "not_found"
    reach(late, NOON)
    assert refusal(agent, late)[0] == "no_breach"
    called_off = lane.promise()
    void_commitments(parcel_ids=[called_off], at=NOON)
    assert refusal(agent, called_off)[0] == "no_breach"


def test_wrong_input_is_pointed_at(late: int, agent: Actor, media: Path) -> None:
    assert refusal(agent, late, reason="bad luck") == ("choice", "/reason")
    assert refusal(agent, late, note="x" * 2001) == ("max_length", "/note")
    assert refusal(agent, late, note="a\0b") == ("invalid", "/note")
    for content in (b"", b"hello", b"PK\x03\x04zip", b"\x89PNG\r\n\x1a\ncut off"):
        assert refusal(agent, late, upload=picture(content=content)) == ("refused", "/file")
    assert states() == []
    assert not list(media.rglob("*.*"))


def test_one_claim_a_breach(late: int, agent: Actor, lane: Lane) -> None:
    first = claimed(agent, late)
    code, said = refusal(agent, late)
    assert (code, said) == ("claimed", "An exemption was already requested and is waiting for a decision.")
    decided(service(), [first], "grant")
    assert refusal(agent, late)[0] == "granted"
    other = late_parcel(lane)
    assert claimed(agent, other).state == "claimed"


def test_the_database_holds_one_standing_excuse_a_breach(late: int, agent: Actor) -> None:
    excuse = claimed(agent, late)
    excuse.pk = None
    with pytest.raises(IntegrityError, match="excuse_once_a_breach"), transaction.atomic():
        excuse.save(force_insert=True)


@pytest.mark.parametrize("decision", ["decline", "revoke"])
def test_a_decision_is_final_for_the_courier(late: int, agent: Actor, decision: str) -> None:
    excuse, decider = claimed(agent, late), service()
    if decision == "revoke":
        decided(decider, [excuse], "grant")
    decided(decider, [excuse], decision)
    assert refusal(agent, late)[0] == "decided"


def test_declined_proposal_of_an_event_may_be_claimed(late: int, agent: Actor) -> None:
    excuse = claimed(agent, late)
    Excuse.objects.filter(pk=excuse.pk).update(source="event")
    decided(service(), [excuse], "decline")
    assert claimed(agent, late, reason="merchant_bad_data").state == "claimed"


class TestTakingBack:
    def take_back(self, actor: Actor, excuse: Excuse) -> Excuse:
        with scope(Scope.of(actor)):
            return take_back_claim(actor=actor, excuse_id=excuse.pk)

    def test_leaves_room_for_another(self, late: int, agent: Actor) -> None:
        excuse = claimed(agent, late)
        assert self.take_back(agent, excuse).state == "withdrawn"
        assert self.take_back(agent, excuse).state == "withdrawn"
        assert Event.objects.filter(topic="excuse.withdrawn").count() == 1
        claimed(agent, late, reason="disaster")
        assert states() == [("withdrawn", "courier", "weather"), ("claimed", "courier", "disaster")]

    def test_comes_too_late_after_a_decision(self, late: int, agent: Actor) -> None:
        excuse = claimed(agent, late)
        decided(service(), [excuse], "grant")
        with pytest.raises(Conflict, match="is already decided"):
            self.take_back(agent, excuse)
        assert Commitment.objects.get(parcel_id=late).excused

    def test_is_for_the_courier_and_its_own_claims(
        self, late: int, agent: Actor, merchant: Actor, rival_courier: Organisation, lane: Lane
    ) -> None:
        excuse = claimed(agent, late)
        for actor in (merchant, agent_of(lane.courier, Role.VIEWER), service()):
            with pytest.raises(NotPermitted):
                self.take_back(actor, excuse)
        with pytest.raises(NotFound):
            self.take_back(agent_of(rival_courier), excuse)
        Excuse.objects.filter(pk=excuse.pk).update(source="event")
        with pytest.raises(Conflict, match="did not request this exemption"):
            self.take_back(agent, excuse)

    def test_is_no_decision(self, late: int, agent: Actor, system: Actor) -> None:
        self.take_back(agent, claimed(agent, late))
        assert excuse_breach(actor=system, parcel_id=late, kind=DELIVERY, reason="weather").state == "granted"


class TestEvidence:
    def test_file_has_an_unguessable_name(self, late: int, agent: Actor, media: Path) -> None:
        excuse = claimed(agent, late, upload=picture("../<b>storm.exe"))
        assert excuse.evidence_name == "bstorm.exe"
        assert excuse.evidence.name.startswith("evidence/")
        assert excuse.evidence.name.endswith(".png")
        stored = media / excuse.evidence.name
        assert stored.read_bytes() == picture().read()
        assert stored.stat().st_mode & 0o077 == 0

    def test_file_is_deleted_when_the_claim_is_refused(
        self, late: int, agent: Actor, media: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        claimed(agent, late, upload=picture())
        monkeypatch.setattr(claims, "obstacle", lambda *_given, **_named: None)
        with pytest.raises(IntegrityError):
            claimed(agent, late, upload=picture())
        assert len(list(media.rglob("*.png"))) == 1

    def test_of_no_claim_is_forgotten_after_a_day(self, late: int, agent: Actor, media: Path) -> None:
        excuse = claimed(agent, late, upload=picture())
        orphan = media / "evidence" / "zz" / "orphan.png"
        orphan.parent.mkdir()
        orphan.write_bytes(b"x")
        assert forget_orphaned_evidence() == 0
        old = timezone.now().timestamp() - 2 * DAY.total_seconds()
        for path in media.rglob("*.png"):
            os.utime(path, (old, old))
        assert forget_orphaned_evidence() == 1
        assert not orphan.exists()
        assert default_storage.exists(excuse.evidence.name)
        assert forget_orphaned_evidence() == 0


class TestTheSecondWall:
    """The database refuses a courier's writes, whatever the code does."""

    @pytest.mark.parametrize("state", ["granted", "declined", "revoked"])
    def test_a_courier_writes_no_decision(self, late: int, agent: Actor, state: str) -> None:
        excuse = claimed(agent, late)
        with (
            scope(Scope.of(agent)),
            pytest.raises(Exception, match="row-level security"),
            transaction.atomic(),
        ):
            Excuse.objects.filter(pk=excuse.pk).update(state=state, decided_at=NOON)

    def test_merchant_can_read_and_not_write(self, late: int, agent: Actor, merchant: Actor) -> None:
        excuse = claimed(agent, late)
        with scope(Scope.of(merchant)):
            assert Excuse.objects.get().pk == excuse.pk
            assert Excuse.objects.update(note="x") == 0

    def test_a_decision_has_a_time(self, late: int, agent: Actor) -> None:
        excuse = claimed(agent, late)
        with (
            pytest.raises(IntegrityError, match="excuse_decided_when_decided"),
            transaction.atomic(),
            connection.cursor() as cursor,
        ):
            cursor.execute("UPDATE slas_excuse SET state = 'granted' WHERE id = %s", [excuse.pk])


def test_a_file_is_read_before_anything_is_locked(late: int, agent: Actor) -> None:
    """Reading a large PDF takes a moment, in which scans of the parcel must not wait."""
    with CaptureQueriesContext(connection) as queries, pytest.raises(InvalidInput):
        claimed(agent, late, upload=picture(content=b"no picture"))
    assert not [query for query in queries if "FOR NO KEY UPDATE" in query["sql"]]
