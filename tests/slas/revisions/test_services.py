"""Revisions: their effects, and who may make them."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import DatabaseError, IntegrityError, transaction

from alliance.choices import Role
from alliance.errors import InvalidInput, NotFound, NotPermitted
from alliance.members.services.actors import actor_of_organisation, actor_of_user
from alliance.models import AuditEntry, Event, Organisation
from alliance.tenancy import Actor, Scope, scope
from slas.choices import Outcome, RevisionParty
from slas.commitments.services.sweeping import sweep_overdue
from slas.models import Revision, TierVersion
from slas.rates.services.folding import fold_tallies
from slas.revisions.services import RevisionRequest, promised_delivery, revise_delivery
from tests import factories
from tests.slas.helpers import commitments
from tests.slas.helpers.commitments import DAY, DELIVERY, HOUR, NOON, Lane
from tests.slas.helpers.revisions import EVENING, MERCHANT, RECIPIENT, commitment, day, revise, standing, why

pytestmark = pytest.mark.django_db


# --- what a revision changes -------------------------------------------------------------------


def test_on_time_is_judged_by_the_recipients_day(parcel_id: int, merchant: Actor) -> None:
    revision = revise(merchant, parcel_id)
    moved = commitment(parcel_id)
    assert moved.due_at == moved.revised_due_at == revision.due_at == EVENING + 2 * DAY
    assert (revision.previous_due_at, revision.judged) == (EVENING, True)
    with scope(Scope.everything()):
        assert sweep_overdue(now=EVENING + DAY).overdue == 0
        commitments.reach(parcel_id, EVENING + DAY, now=EVENING + DAY)
        assert commitments.outcome(parcel_id) == Outcome.MET
        commitments.assert_books_agree()


def test_a_courier_that_keeps_to_the_merchants_day_is_on_time(parcel_id: int, merchant: Actor) -> None:
    revision = revise(merchant, parcel_id, by=MERCHANT)
    moved = commitment(parcel_id)
    assert (moved.due_at, moved.revised_due_at, revision.judged) == (*[EVENING + 2 * DAY] * 2, True)
    with scope(Scope.everything()):
        assert sweep_overdue(now=EVENING + DAY).overdue == 0
        commitments.reach(parcel_id, EVENING + DAY, now=EVENING + DAY)
        assert commitments.outcome(parcel_id) == Outcome.MET
        commitments.assert_books_agree()


def test_nobody_asks_in_the_recipients_name_without_a_proof(
    parcel_id: int, merchant: Actor, system: Actor
) -> None:
    for actor in (merchant, system):
        asked = RevisionRequest(day(2), RECIPIENT, "The customer phoned")
        with scope(Scope.of(actor)), pytest.raises(InvalidInput) as refused:
            revise_delivery(actor=actor, parcel_id=parcel_id, asked=asked, now=NOON)
        assert [(error.pointer, error.code) for error in refused.value.errors] == [
            ("/requested_by", "unproven")
        ]
    assert commitment(parcel_id).revised_due_at is None


@pytest.mark.parametrize("by", [RECIPIENT, MERCHANT])
@pytest.mark.parametrize(("hour", "outcome"), [(-1, Outcome.MET), (1, Outcome.LATE)])
def test_after_an_attempt_the_day_of_the_next_one_is_recorded_only(
    parcel_id: int, merchant: Actor, by: RevisionParty, hour: int, outcome: Outcome
) -> None:
    at = EVENING + hour * HOUR
    with scope(Scope.everything()):
        commitments.reach(parcel_id, at, now=at)
    assert not revise(merchant, parcel_id, by=by, now=at).judged
    moved = commitment(parcel_id)
    assert (moved.outcome, moved.due_at, moved.revised_due_at) == (outcome, EVENING, EVENING + 2 * DAY)
    with scope(Scope.everything()):
        commitments.assert_books_agree()


def test_the_cohort_stays_that_of_the_original_promise(parcel_id: int, merchant: Actor, lane: Lane) -> None:
    before = commitment(parcel_id).due_date
    revise(merchant, parcel_id, 20)
    assert commitment(parcel_id).due_date == before
    with scope(Scope.everything()):
        commitments.reach(parcel_id, EVENING + 20 * DAY, now=EVENING + 20 * DAY)
        fold_tallies()
        assert commitments.counts(lane.courier) == {"met": 1}
        commitments.assert_books_agree()


def test_each_revision_is_kept_beside_the_previous_one(parcel_id: int, merchant: Actor) -> None:
    revise(merchant, parcel_id, 2)
    revise(merchant, parcel_id, 4, MERCHANT, "The lorry broke down")
    revise(merchant, parcel_id, 6)
    with scope(Scope.of(merchant)):
        result = standing(parcel_id).revisions
    assert [(item.previous_due_at - EVENING, item.due_at - EVENING, item.judged) for item in result] == [
        (0 * DAY, 2 * DAY, True),
        (2 * DAY, 4 * DAY, True),
        (4 * DAY, 6 * DAY, True),
    ]
    assert commitment(parcel_id).due_at == EVENING + 6 * DAY


def test_requester_and_reason_are_sent_and_recorded(parcel_id: int, merchant: Actor) -> None:
    revision = revise(merchant, parcel_id, by=MERCHANT, reason="  Out of stock  ")
    assert (revision.reason, revision.label, revision.agreed_by) == ("Out of stock", "merchant owner", None)
    with scope(Scope.everything()):
        event = Event.objects.get(topic="commitment.revised")
        assert (event.parcel_id, event.merchant_id) == (parcel_id, merchant.organisation_id)
        assert event.courier_id == revision.courier_id
        payload = {name: event.payload[name] for name in ("requested_by", "judged")}
        assert payload == {"requested_by": "merchant", "judged": True}
        entry = AuditEntry.objects.get(verb="commitment.revised")
        # The reason is stored on the revision only, where it can be erased.
        assert "Out of stock" not in f"{event.payload} {entry.detail}"
        assert (entry.object_id, entry.actor_label) == (f"{parcel_id}:delivery", "merchant owner")


def test_the_hour_is_that_of_the_version_that_made_the_promise(
    lane: Lane, merchant: Actor, system: Actor
) -> None:
    with scope(Scope.everything()):
        newest = TierVersion.objects.filter(tier=lane.tier).latest("number")
        newest.pk, newest.number, newest.valid_from = None, newest.number + 1, NOON - HOUR
        newest.deliver_by = "21:30"
        newest.save(force_insert=True)
        old = TierVersion.objects.get(tier=lane.tier, number=newest.number - 1)
        with_old, with_none = lane.promise(EVENING, version_id=old.pk), lane.promise(EVENING)
    assert revise(merchant, with_old).due_at == EVENING + 2 * DAY
    # A commitment without a version uses the rules in force now.
    assert revise(merchant, with_none).due_at == EVENING + 2 * DAY + 90 * timedelta(minutes=1)


# --- who may -----------------------------------------------------------------------------------


@pytest.mark.parametrize("role", [Role.OWNER, Role.AGENT, Role.VIEWER])
def test_a_courier_cannot_write_one(parcel_id: int, courier_organisation: Organisation, role: str) -> None:
    courier = actor_of_organisation(courier_organisation, kind="user", role=role, label="courier")
    for by in RevisionParty:
        with pytest.raises(NotPermitted):
            revise(courier, parcel_id, by=by)
    assert commitment(parcel_id).revised_due_at is None


def test_a_merchants_viewer_cannot_write_one(parcel_id: int, merchant_organisation: Organisation) -> None:
    viewer = actor_of_organisation(merchant_organisation, kind="user", role=Role.VIEWER)
    with pytest.raises(NotPermitted):
        revise(viewer, parcel_id)


def test_parcel_of_another_merchant_is_not_found(parcel_id: int, rival_merchant: Organisation) -> None:
    stranger = actor_of_organisation(rival_merchant, kind="user", role=Role.OWNER)
    with pytest.raises(NotFound):
        revise(stranger, parcel_id)
    with scope(Scope.of(stranger)):
        assert promised_delivery(parcel_id=parcel_id) is None


def test_ops_write_one_for_anybody(parcel_id: int, system: Actor) -> None:
    assert revise(system, parcel_id).label == "test"


def test_ops_in_the_courier_cannot_revise_its_promises(
    parcel_id: int, courier_organisation: Organisation
) -> None:
    both = factories.member_user("both@alliance.example", courier_organisation)
    both.is_staff = both.is_superuser = True
    both.save()
    with pytest.raises(NotPermitted) as error:
        revise(actor_of_user(both), parcel_id)
    assert why(error) == "own_courier"


def test_only_both_parties_read_revisions(
    parcel_id: int, merchant: Actor, courier: Actor, rival_courier: Organisation
) -> None:
    revise(merchant, parcel_id)
    seen = {}
    for name, who in {
        "merchant": Scope.of(merchant),
        "courier": Scope.of(courier),
        "tracking": Scope.parcel(parcel_id),
        "another parcel": Scope.parcel(parcel_id + 1),
        "rival": Scope.courier(rival_courier.pk),
        "nobody": Scope.nothing(),
    }.items():
        with scope(who):
            seen[name] = Revision.objects.count()
    assert seen == {"merchant": 1, "courier": 1, "tracking": 1, "another parcel": 0, "rival": 0, "nobody": 0}


# --- the database's own rules ------------------------------------------------------------------


def row(lane: Lane, **given: Any) -> Revision:
    values = {
        "parcel_id": 1, "kind": DELIVERY, "merchant": lane.merchant, "courier_id": lane.courier.pk,
        "requested_by": RECIPIENT, "previous_due_at": NOON, "due_at": NOON + DAY,
        "judged": True, "label": "x",
    }  # fmt: skip
    return Revision(**{**values, **given})


def test_database_refuses_an_earlier_day(lane: Lane, everything: None) -> None:
    with pytest.raises(IntegrityError, match="revision_is_later"), transaction.atomic():
        row(lane, due_at=NOON).save()
    row(lane).save()


def test_the_tracking_pages_scope_writes_none(parcel_id: int, lane: Lane) -> None:
    revision = row(lane, parcel_id=parcel_id)
    with pytest.raises(DatabaseError, match="row-level security"), scope(Scope.parcel(parcel_id)):
        revision.save()
