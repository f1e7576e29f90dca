"""Recipients' data are erased some time after a parcel's end; non-personal data stay."""

import csv
import io
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from rest_framework.test import APIClient

from alliance.errors import Conflict, InvalidInput, NotFound, NotPermitted
from alliance.models import AuditEntry, Heartbeat, IdempotentRequest, Organisation
from alliance.tenancy import Actor, Scope, scope
from couriers.documents.files import private_storage
from parcels import tasks
from parcels.models import Parcel, Scan
from parcels.retention.erasing import erase_due, erase_early
from parcels.scans.lines import ScanLine
from parcels.scans.services import record_scans
from slas.models import Excuse, Revision
from tests.parcels.helpers.parcels import booked_parcels

pytestmark = pytest.mark.django_db
NOW = timezone.now()
# In a month that has partitions.
BOOKED = NOW - timedelta(days=20)
RECIPIENT = {
    "recipient_name": "王小明",
    "recipient_phone": "13812345678",
    "recipient_address": "人民南路四段12号3单元1203室",
}
ENDED = {"status": "delivered", "status_at": BOOKED + timedelta(days=2)}
Make = Callable[..., Parcel]


@pytest.fixture(autouse=True)
def _periods(settings: Any, tmp_path: Any) -> None:
    """Erase ten days after the end, or fifteen after the last scan of a parcel without an end."""
    settings.ERASE_AFTER_DAYS, settings.ERASE_UNENDED_AFTER_DAYS = 10, 15
    settings.MEDIA_ROOT = tmp_path


@pytest.fixture
def make(merchant_organisation: Organisation, courier_organisation: Organisation) -> Make:
    def make(**fields: Any) -> Parcel:
        [parcel] = booked_parcels(
            merchant_organisation, courier_organisation, booked_at=BOOKED, reference="SO-1", **RECIPIENT
        )
        with scope(Scope.everything()):
            Parcel.objects.filter(pk=parcel.pk).update(**{**ENDED, **fields})
        return parcel

    return make


def reread(parcel: Parcel) -> Parcel:
    with scope(Scope.everything()):
        return Parcel.objects.get(pk=parcel.pk)


def is_erased(parcel: Parcel) -> bool:
    """Whether the recipient is erased; also checks that it is all or nothing."""
    fresh = reread(parcel)
    values = [getattr(fresh, name) for name in RECIPIENT if getattr(fresh, name)]
    assert len(values) == (0 if fresh.erased_at else 3)
    return fresh.erased_at is not None


def excuse_of(parcel: Parcel, **fields: Any) -> Excuse:
    values = {"reason": "weather", "source": "courier", "state": "withdrawn", **fields}
    with scope(Scope.everything()):
        return Excuse.objects.create(
            parcel_id=parcel.pk,
            kind="delivery",
            merchant_id=parcel.merchant_id,
            courier_id=parcel.courier_id,
            note="王小明不在家",
            decision_note="王小明说好",
            evidence=ContentFile(b"x", "door.png"),
            evidence_name="王小明家门口.png",
            **values,
        )


# --- automatic erasure -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "is_due"),
    [
        ({}, True),
        ({"status": "cancelled"}, True),
        ({"status": "returned"}, True),
        ({"status_at": NOW - timedelta(days=9)}, False),
        ({"last_scan_at": NOW - timedelta(days=9)}, False),
        # In transit, so the address is still needed; after long silence it is not.
        ({"status": "in_transit", "status_at": NOW - timedelta(days=14)}, False),
        ({"status": "in_transit", "status_at": NOW - timedelta(days=16)}, True),
        ({"status": "booked", "status_at": NOW - timedelta(days=16)}, True),
    ],
)
def test_recipient_is_erased_when_due(make: Make, fields: dict[str, Any], *, is_due: bool) -> None:
    parcel = make(**fields)
    assert erase_due(now=NOW) == int(is_due)
    assert is_erased(parcel) is is_due


def test_non_personal_data_is_kept(make: Make) -> None:
    parcel = make()
    before = {
        name: value for name, value in vars(reread(parcel)).items() if name not in {*RECIPIENT, "_state"}
    }
    erase_due(now=NOW)
    after = vars(reread(parcel))
    changed = {name for name, value in before.items() if after[name] != value}
    assert changed == {"erased_at"}
    assert after["reference"] == "SO-1"


def test_notes_reasons_and_files_are_erased(make: Make) -> None:
    parcel = make()
    excuse = excuse_of(parcel)
    with scope(Scope.everything()):
        Revision.objects.create(
            parcel_id=parcel.pk,
            kind="delivery",
            merchant_id=parcel.merchant_id,
            courier_id=parcel.courier_id,
            requested_by="merchant",
            previous_due_at=BOOKED,
            due_at=NOW,
            judged=False,
            reason="王小明出差",
        )
    kept_name = excuse.evidence.name
    assert private_storage().exists(kept_name)
    erase_due(now=NOW)
    assert not private_storage().exists(kept_name)
    with scope(Scope.everything()):
        excuse.refresh_from_db()
        texts = (excuse.note, excuse.decision_note, excuse.evidence.name, excuse.evidence_name)
        assert texts == ("", "", "", "")
        assert (excuse.reason, excuse.state) == ("weather", "withdrawn")
        assert Revision.objects.get().reason == ""


def test_text_added_after_erasure_is_erased_later(make: Make) -> None:
    parcel = make()
    assert erase_due(now=NOW) == 1
    excuse = excuse_of(parcel, claimed_at=NOW, state="claimed")
    kept_name = excuse.evidence.name
    later = NOW + timedelta(days=11)

    def note(*, now: datetime) -> str:
        assert erase_due(now=now) == 0
        with scope(Scope.everything()):
            excuse.refresh_from_db()
        return str(excuse.note)

    assert note(now=later)
    with scope(Scope.everything()):
        Excuse.objects.update(state="declined", decided_at=NOW + timedelta(days=9))
    assert note(now=later)
    assert private_storage().exists(kept_name)
    assert note(now=later + timedelta(days=9)) == ""
    assert excuse.decision_note == ""
    assert not private_storage().exists(kept_name)


def test_waiting_claim_delays_erasure(make: Make) -> None:
    parcel = make()
    excuse_of(parcel, state="claimed")
    assert erase_due(now=NOW) == 0
    assert not is_erased(parcel)


def test_many_recipients_are_erased_in_slices_once_each(make: Make) -> None:
    parcels = [make() for _number in range(5)]
    kept_name = make(status_at=NOW)
    assert erase_due(now=NOW, limit=2) == 5
    assert erase_due(now=NOW, limit=2) == 0
    assert all(is_erased(parcel) for parcel in parcels)
    assert not is_erased(kept_name)


def test_erasure_stops_at_its_time_limit(make: Make) -> None:
    make()
    assert erase_due(now=NOW, budget=0) == 0


def test_selection_uses_the_index_of_unerased_parcels(make: Make) -> None:
    make()
    with CaptureQueriesContext(
        connection,
    ) as captured:
        erase_due(now=NOW)
    [query] = [item["sql"] for item in captured if "ORDER BY id LIMIT" in item["sql"]]
    with scope(Scope.everything()), connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute("SET LOCAL enable_sort = off")
        cursor.execute(f"EXPLAIN {query}")
        plan = "\n".join(row[0] for row in cursor.fetchall())
    # The index of each month has a name made from its columns.
    assert "Index Cond" in plan
    assert "Seq Scan on parcels_parcel" not in plan


def test_task_records_a_heartbeat(make: Make) -> None:
    make()
    assert tasks.erase_recipients() == 1
    assert Heartbeat.objects.get(name="erase-recipients").detail == {"erased": 1}


# --- early erasure ---------------------------------------------------------------------------


def erase(actor: Actor, parcel: Parcel, reason: str = "recipient wrote on 3 May") -> Parcel:
    with scope(Scope.everything()):
        return erase_early(actor=actor, parcel_id=parcel.pk, reason=reason, now=NOW)


def test_early_erasure_by_ops_is_audited(
    make: Make, system: Actor, merchant_organisation: Organisation
) -> None:
    parcel = make(status_at=NOW)
    with scope(Scope.everything()):
        for number, answer in enumerate([f'{{"tracking_number": "{parcel.number}"}}', "{}"]):
            IdempotentRequest.objects.create(
                organisation=merchant_organisation,
                route="r",
                key=str(number),
                body_hash="",
                status=201,
                answer=answer,
            )
    assert erase(system, parcel).erased_at == NOW
    assert is_erased(parcel)
    with scope(Scope.everything()):
        entry = AuditEntry.objects.get(verb="parcel.erased")
        assert (entry.object_id, entry.organisation_id) == (str(parcel.pk), merchant_organisation.pk)
        assert entry.detail == {"number": parcel.number, "reason": "recipient wrote on 3 May"}
        assert [kept_name.answer for kept_name in IdempotentRequest.objects.all()] == ["{}"]
    erase(system, parcel)
    with scope(Scope.everything()):
        assert AuditEntry.objects.filter(verb="parcel.erased").count() == 1


@pytest.mark.parametrize(
    ("fields", "reason", "error"),
    [
        ({"status": "in_transit"}, "asked", Conflict),
        ({}, "  ", InvalidInput),
        ({}, "x" * 301, InvalidInput),
    ],
)
def test_early_erasure_is_refused(
    make: Make, system: Actor, fields: dict[str, Any], reason: str, error: type[Exception]
) -> None:
    parcel = make(**fields)
    with pytest.raises(error):
        erase(system, parcel, reason)
    assert not is_erased(parcel)


def test_early_erasure_is_refused_during_a_claim(make: Make, system: Actor) -> None:
    parcel = make()
    excuse_of(parcel, state="claimed")
    with pytest.raises(Conflict, match="waiting for a decision"):
        erase(system, parcel)


def test_only_ops_erase_and_only_existing_parcels(make: Make, system: Actor, merchant: Actor) -> None:
    parcel = make()
    with pytest.raises(NotPermitted):
        erase(merchant, parcel)
    parcel.pk -= 1
    with pytest.raises(NotFound):
        erase(system, parcel)


# --- what the doors show ---------------------------------------------------------------------


def test_admin_erases_a_recipient(make: Make, ops_client: Client) -> None:
    parcel = make()
    page = reverse("admin:parcels_parcel_change", args=[parcel.pk])
    address = reverse("admin:parcels_parcel_erase", args=[parcel.pk])
    assert address in ops_client.get(page).content.decode()
    assert ops_client.get(address).status_code == 200
    assert ops_client.post(address, {"reason": ""}).status_code == 422
    assert not is_erased(parcel)
    assert ops_client.post(address, {"reason": "asked by mail"}).status_code == 302
    assert is_erased(parcel)
    html = ops_client.get(page).content.decode()
    assert "Erased on" in html
    assert address not in html


def test_admin_shows_why_erasure_is_refused(make: Make, ops_client: Client) -> None:
    parcel = make(status="in_transit")
    address = reverse("admin:parcels_parcel_erase", args=[parcel.pk])
    assert (
        address
        not in ops_client.get(reverse("admin:parcels_parcel_change", args=[parcel.pk])).content.decode()
    )
    answer = ops_client.post(address, {"reason": "asked"})
    assert answer.status_code == 422
    assert "still on its way" in answer.content.decode()


def test_pages_api_and_exports_show_the_erasure(
    make: Make, client: Client, merchant_client: Client, merchant_api: APIClient
) -> None:
    parcel = make()
    erase_due(now=NOW)
    erased_at: datetime = reread(parcel).erased_at  # type: ignore[assignment]
    page = merchant_client.get(reverse("parcels:parcel_detail", args=[parcel.number])).content.decode()
    assert "The recipient&#x27;s data were erased on" in page or "The recipient's data were erased on" in page
    assert "Show in full" not in page
    answer = merchant_api.get(f"/api/v1/parcels/{parcel.number}").json()
    assert answer["recipient"] == {"name": "", "phone": "", "address": ""}
    assert datetime.fromisoformat(answer["recipient_erased_at"]) == erased_at
    assert client.get(reverse("parcels:track", args=[parcel.number])).status_code == 200
    response = merchant_client.get(reverse("parcels:parcel_export"))
    text = b"".join(response.streaming_content).decode("utf-8-sig")  # type: ignore[attr-defined]
    [row] = csv.DictReader(io.StringIO(text))
    assert (row["recipient_name"], row["recipient_phone"], row["recipient_address"]) == ("", "", "")


def test_what_couriers_typed_as_a_place_is_erased(make: Make) -> None:
    parcel, other = make(), make(status="in_transit", status_at=NOW, last_scan_at=NOW)
    with scope(Scope.everything()):
        lines = [
            ScanLine(to.number, "arrived", BOOKED + timedelta(hours=hours), facility=facility)
            for to in (parcel, other)
            for hours, facility in enumerate(["CTU-03", "Zhou 13900015101", "Chengdu, Li Wei", ""], start=1)
        ]
        record_scans(actor=Actor.system("test"), lines=lines, now=NOW - timedelta(days=15))
        Parcel.objects.filter(pk=parcel.pk).update(**ENDED)
    assert erase_due(now=NOW) == 1

    def places(of: Parcel) -> list[str]:
        with scope(Scope.everything()):
            scans = Scan.objects.filter(parcel_id=of.pk).order_by("occurred_at")
            return list(scans.values_list("facility", flat=True))

    assert places(parcel) == ["CTU-03", "", "Chengdu", ""]
    assert places(other) == ["CTU-03", "Zhou 13900015101", "Chengdu, Li Wei", ""]
