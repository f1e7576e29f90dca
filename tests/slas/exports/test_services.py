"""Exports: the content of files, their readers and their lifetime."""

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from alliance.errors import Conflict, InvalidInput, NotFound, NotPermitted
from alliance.identifiers import new_parcel_id, tracking_number
from alliance.models import AuditEntry, Organisation
from alliance.tenancy import Actor, Scope, scope
from slas.choices import ExportState, Outcome, RevisionParty
from slas.commitments.services.settling import revise_due
from slas.exports.services import requests
from slas.exports.services.writing import tend_exports, write_export
from slas.models import Commitment, Export, OnTimeRate, Revision
from slas.rates.services.folding import fold_tallies
from tests.factories import LOTUS, SWIFT
from tests.slas.helpers import commitments as judging
from tests.slas.helpers.commitments import DAY, DELIVERY, HOUR, NOON, PICKUP, Lane
from tests.slas.helpers.exports import (
    COMMITMENTS,
    CSV,
    FIRST,
    LAST,
    PARQUET,
    RATES,
    ask,
    numbers,
    owner,
    read_csv,
    read_parquet,
    reread,
    some_promises,
    understood,
    written,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("media")]


# --- what is in it -----------------------------------------------------------------------------


def test_csv_has_each_commitment_once_with_its_values(
    promised: list[int], merchant: Actor, lane: Lane
) -> None:
    export = written(merchant)
    rows = [understood(COMMITMENTS, row) for row in read_csv(export)]
    commitments = list(Commitment.objects.order_by("parcel_id", "kind"))
    assert (export.state, export.done, export.rows, len(rows)) == (ExportState.DONE, 20, 20, 20)
    for row, commitment in zip(rows, commitments, strict=True):
        assert row["tracking_number"][:2] == "CA"
        assert (row["kind"], row["outcome"]) == (commitment.kind, commitment.outcome)
        assert (row["judged_by"], row["promise_original"]) == (commitment.due_at, commitment.due_at)
        assert (row["reached_at"], row["due_date"]) == (commitment.reached_at, commitment.due_date)
        assert row["price"] * 100 == commitment.fee_fen
        assert (row["courier"], row["merchant_name"]) == (lane.courier.public_id, "Lotus Tea")
        assert (row["origin"], row["destination"], row["tier"]) == ("CN-HGH", "CN-CTU", "next_day")
    assert {row["outcome"] for row in rows} == {Outcome.MET, Outcome.LATE, Outcome.PENDING}


def test_lateness_is_set_only_for_late_commitments(promised: list[int], merchant: Actor) -> None:
    for row in read_csv(written(merchant)):
        late = row["outcome"] == Outcome.LATE
        assert bool(row["late_by_seconds"]) == late
        assert not late or 90 * 60 <= int(row["late_by_seconds"]) < 110 * 60


@pytest.mark.parametrize("content", [COMMITMENTS, RATES])
def test_parquet_and_csv_say_the_same(promised: list[int], merchant: Actor, content: str) -> None:
    lines = read_csv(written(merchant, content, CSV))
    rows = read_parquet(written(merchant, content, PARQUET))
    assert rows == [understood(content, line) for line in lines]
    assert rows


def test_the_days_are_due_dates_and_both_are_included(lane: Lane, merchant: Actor, everything: None) -> None:
    by_day = {day: lane.promise(NOON + day * DAY) for day in range(4)}
    first, last = ((NOON + day * DAY).date() for day in (1, 2))
    export = written(merchant, COMMITMENTS, CSV, first, last)
    due = Commitment.objects.filter(parcel_id__in=[by_day[1], by_day[2]])
    assert {row["judged_by"] for row in read_csv(export)} == {item.due_at.isoformat() for item in due}


def test_original_promise_is_exported_beside_the_revised_one(
    lane: Lane, merchant: Actor, everything: None
) -> None:
    parcel_id = lane.promise(NOON + DAY)
    before = NOON + DAY
    for days, party in ((2, RevisionParty.RECIPIENT), (4, RevisionParty.MERCHANT)):
        after, judged = NOON + days * DAY, party == RevisionParty.RECIPIENT
        revise_due(parcel_id=parcel_id, kind=DELIVERY, due_at=after, judged=judged, now=NOON)
        Revision.objects.create(
            parcel_id=parcel_id, kind=DELIVERY, merchant=lane.merchant, courier_id=lane.courier.pk,
            requested_by=party, previous_due_at=before, due_at=after, judged=judged, label="x",
        )  # fmt: skip
        before = after
    [row] = [understood(COMMITMENTS, row) for row in read_csv(written(merchant))]
    assert [row[name] for name in ("promise_original", "judged_by", "promise_current")] == [
        NOON + DAY, NOON + 2 * DAY, NOON + 4 * DAY,
    ]  # fmt: skip
    assert row["due_date"] == (NOON + DAY).date()


def test_parcels_booked_months_apart_are_all_exported(
    lane: Lane, merchant: Actor, everything: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("slas.exports.reading.WINDOW", 10 * DAY)
    # Ahead, where there are months.
    booked = [NOON + days * DAY for days in (0, 30, 31, 65, 94, 95)]
    due = booked[-1]
    parcels = [lane.promise(due, parcel_id=new_parcel_id(at)) for at in booked]
    for rows_a_slice in (1, 2, 50):
        export = written(merchant, first=due.date(), last=due.date(), rows_a_slice=rows_a_slice)
        assert numbers(export) == [tracking_number(parcel_id) for parcel_id in parcels]


def test_empty_period_gives_a_file_with_a_header(merchant: Actor) -> None:
    export = written(merchant)
    assert (export.state, export.done, export.rows) == (ExportState.DONE, 0, 0)
    assert read_csv(export) == []
    assert export.size == Path(export.file.path).stat().st_size > 0
    assert read_parquet(written(merchant, RATES, PARQUET)) == []


def test_cells_add_up_to_the_commitments(
    promised: list[int], merchant: Actor, courier: Actor, system: Actor
) -> None:
    for actor in (merchant, courier, system):
        rows = [understood(RATES, row) for row in read_csv(written(actor, RATES))]
        for outcome in ("met", "late", "pending"):
            wanted = Commitment.objects.filter(outcome=outcome).count()
            assert sum(row[outcome] for row in rows) == wanted, actor
    assert {row["merchant"] for row in read_csv(written(courier, RATES))} == {""}
    assert {row["merchant"] for row in read_csv(written(system, RATES))} == {LOTUS}


def test_cells_are_read_page_by_page_without_a_gap(promised: list[int], merchant: Actor) -> None:
    export = written(merchant, RATES, rows_a_slice=2)
    cells = OnTimeRate.objects.filter(organisation_id=merchant.organisation_id).order_by("due_date", "pk")
    assert [row["due_date"] for row in read_csv(export)] == [cell.due_date.isoformat() for cell in cells]
    assert export.parts == -(-len(cells) // 2)


# --- whose it is -------------------------------------------------------------------------------


@pytest.fixture
def theirs(
    promised: list[int], rival_merchant: Organisation, rival_courier: Organisation, lane: Lane
) -> list[int]:
    """Deliveries of another merchant, on the same lane and days."""
    other = judging.Lane(rival_merchant, rival_courier, lane.tier, lane.origin, lane.destination)
    parcels = some_promises(other, 5)
    fold_tallies()
    return parcels


def test_members_export_their_own_rows_and_ops_all(
    theirs: list[int], merchant: Actor, courier: Actor, rival_merchant: Organisation, system: Actor
) -> None:
    assert len(numbers(written(merchant))) == len(numbers(written(courier))) == 20
    assert len(numbers(written(owner(rival_merchant)))) == 5
    assert len(numbers(written(system))) == 25
    assert {row["courier"] for row in read_csv(written(courier, RATES))} == {SWIFT}


def test_file_of_another_organisation_is_not_found(
    promised: list[int], merchant: Actor, rival_merchant: Organisation, courier: Actor
) -> None:
    export = written(merchant)
    link = requests.link_of(export)
    for stranger in (owner(rival_merchant), courier):
        with scope(Scope.of(stranger)):
            assert list(requests.exports_of(stranger)) == []
            with pytest.raises(NotFound):
                requests.export_for(actor=stranger, export_id=export.pk)
            with pytest.raises(NotFound):
                requests.take_export(actor=stranger, export_id=export.pk, now=NOON, **link)
            # The database refuses it too, whatever the code asks.
            assert not Export.objects.filter(pk=export.pk).exists()


def test_member_without_capability_cannot_request_exports(merchant_organisation: Organisation) -> None:
    viewer = owner(merchant_organisation, "viewer")
    with pytest.raises(NotPermitted):
        ask(viewer)
    with pytest.raises(NotPermitted):
        requests.exports_of(viewer)


def test_fees_are_exported_only_for_members_who_may_see_them(
    promised: list[int], courier_organisation: Organisation
) -> None:
    agent, finance = owner(courier_organisation, "agent"), owner(courier_organisation, "finance")
    with scope(Scope.everything()):
        Commitment.objects.update(declared_value_fen=8_880)
    plain, full = written(agent), written(finance)
    assert {row["price"] + row["declared_value"] for row in read_csv(plain)} == {""}
    assert min(row["price"] for row in read_csv(full)) == "10.00"
    assert {row["declared_value"] for row in read_csv(full)} == {"88.80"}
    later = full.expires_at - HOUR
    with pytest.raises(NotPermitted) as error:
        requests.take_export(actor=agent, export_id=full.pk, now=later, **requests.link_of(full))
    assert error.value.reason == "has_fees"
    taken = requests.take_export(actor=finance, export_id=plain.pk, now=later, **requests.link_of(plain))
    assert taken == plain


def test_organisation_suspended_in_the_meantime_gets_no_file(
    promised: list[int], merchant: Actor, merchant_organisation: Organisation
) -> None:
    export = ask(merchant)
    Organisation.objects.filter(pk=merchant_organisation.pk).update(status="suspended")
    assert write_export(export_id=export.pk)
    assert reread(export).state == ExportState.FAILED


# --- asking ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "pointer", "code"),
    [
        ({"content": "parcels"}, "/content", "choice"),
        ({"format": "xlsx"}, "/format", "choice"),
        ({"first": LAST, "last": FIRST}, "/to", "period"),
        ({"first": LAST - timedelta(days=366)}, "/to", "period"),
        ({"first": date(2015, 12, 31), "last": date(2016, 1, 2)}, "/from", "period"),
        ({"first": date(9999, 1, 1), "last": date(9999, 12, 31)}, "/to", "period"),
    ],
)
def test_invalid_requests_are_refused(
    merchant: Actor, changes: dict[str, Any], pointer: str, code: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        ask(merchant, **changes)
    assert [(error.pointer, error.code) for error in refused.value.errors] == [(pointer, code)]
    with scope(Scope.everything()):
        assert not Export.objects.exists()


def test_a_year_and_its_leap_day_is_the_longest_period(merchant: Actor) -> None:
    assert ask(merchant, first=LAST - timedelta(days=365)).state == ExportState.QUEUED


def test_three_files_are_written_at_once_and_a_fourth_waits(
    merchant: Actor, courier: Actor, system: Actor
) -> None:
    running = [ask(merchant) for _number in range(requests.MOST_RUNNING)]
    with pytest.raises(Conflict) as error:
        ask(merchant)
    assert (error.value.reason, error.value.status) == ("exports_running", 409)
    # Each organisation's own; ops are one, too.
    ask(courier)
    ask(system)
    assert write_export(export_id=running[0].pk)
    assert ask(merchant).pk


def test_asking_and_taking_are_recorded(merchant: Actor) -> None:
    export = written(merchant)
    with scope(Scope.of(merchant)):
        requests.take_export(actor=merchant, export_id=export.pk, now=NOON, **requests.link_of(export))
    with scope(Scope.everything()):
        verbs = AuditEntry.objects.filter(object_type="export", object_id=str(export.pk)).order_by("pk")
        assert [entry.verb for entry in verbs] == ["export.requested", "export.downloaded"]


# --- the link ----------------------------------------------------------------------------------


def take(actor: Actor, export: Export, *, now: Any = NOON, **given: str) -> Export:
    with scope(Scope.of(actor)):
        return requests.take_export(
            actor=actor, export_id=export.pk, now=now, **{**requests.link_of(export), **given}
        )


def test_a_link_is_good_for_a_week(merchant: Actor) -> None:
    export = written(merchant)
    end = export.expires_at.replace(microsecond=0)
    assert take(merchant, export, now=end - timedelta(seconds=1)) == export
    with pytest.raises(NotFound) as expired:
        take(merchant, export, now=end)
    assert expired.value.reason == "export_expired"


@pytest.mark.parametrize(
    "changes",
    [
        {"signature": ""},
        {"signature": "x" * 43},
        {"signature": "签"},
        {"expires": ""},
        {"expires": "never"},
        {"expires": "²"},
        {"expires": "9" * 40},
        # The same link with a later expiry.
        {"expires": "3000000000"},
    ],
)
def test_a_link_that_is_not_ours_is_refused(merchant: Actor, changes: dict[str, str]) -> None:
    export = written(merchant)
    with pytest.raises(NotPermitted) as error:
        take(merchant, export, **changes)
    assert error.value.reason == "bad_link"


def test_link_of_another_file_is_refused(merchant: Actor) -> None:
    one, other = written(merchant), written(merchant)
    with pytest.raises(NotPermitted):
        take(merchant, one, signature=requests.link_of(other)["signature"])


def test_unfinished_and_failed_files_are_refused(merchant: Actor) -> None:
    export = ask(merchant)
    with pytest.raises(Conflict) as waiting:
        take(merchant, export)
    assert waiting.value.reason == "export_not_ready"
    with scope(Scope.everything()):
        Export.objects.update(state=ExportState.FAILED)
    with pytest.raises(Conflict) as failed:
        take(merchant, reread(export))
    assert failed.value.reason == "export_failed"


def test_expired_file_is_deleted_and_marked_expired(merchant: Actor, media: Path) -> None:
    export = written(merchant)
    folder = Path(export.file.path).parent
    assert tend_exports(now=export.expires_at - timedelta(seconds=1)) == (0, 0)
    assert folder.exists()
    assert tend_exports(now=export.expires_at) == (0, 1)
    gone = reread(export)
    assert (gone.state, gone.file.name, gone.done) == (ExportState.EXPIRED, "", 0)
    assert not folder.exists()
    assert tend_exports(now=export.expires_at + DAY) == (0, 0)
    with pytest.raises(NotFound):
        take(merchant, gone)


def test_pickups_are_exported_as_commitments(lane: Lane, merchant: Actor, everything: None) -> None:
    lane.promise(NOON, PICKUP)
    [row] = read_csv(written(merchant))
    assert (row["kind"], row["price"], row["picked_up_at"]) == ("pickup", "", "")
