"""CSV files of scans: encodings, results per row, resuming, pages."""

import csv
import io
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone

from alliance.choices import OrganisationStatus
from alliance.errors import InvalidInput, Unavailable
from alliance.identifiers import parse_tracking_number
from alliance.models import Organisation
from alliance.tenancy import Actor, Scope, scope
from parcels import tasks
from parcels.models import Parcel, Scan, ScanFile
from parcels.scan_files import rows as rules
from parcels.scan_files import services as scan_files
from tests.helpers.failing import fail_at_every_attempt
from tests.parcels.helpers.parcels import booked_parcels

# Partitions begin with last month.
BOOKED = timezone.now().replace(minute=0, second=0, microsecond=0) - timedelta(days=2)
HEADER = "tracking_number,code,occurred_at,event_id,reason,facility,consent,corrects"
UPLOAD = "/scans/upload/"


@pytest.fixture(autouse=True)
def _private_folder(settings: Any, tmp_path: Path) -> None:
    settings.MEDIA_ROOT = tmp_path


@pytest.fixture
def parcels(merchant_organisation: Organisation, courier_organisation: Organisation) -> list[Parcel]:
    return booked_parcels(merchant_organisation, courier_organisation, booked_at=BOOKED, count=5)


def row(parcel: Parcel, code: str = "picked_up", hours: float = 1, *more: str) -> str:
    at = (BOOKED + timedelta(hours=hours)).isoformat()
    return ",".join([parcel.number, code, at, *more])


def csv_file(*rows: str, header: str = HEADER, encoding: str = "utf-8") -> SimpleUploadedFile:
    return SimpleUploadedFile("scans.csv", "\r\n".join([header, *rows]).encode(encoding), "text/csv")


def receive(actor: Actor, upload: SimpleUploadedFile) -> ScanFile:
    with scope(Scope.of(actor)):
        return scan_files.receive_scan_file(actor=actor, upload=upload)


def results(file: ScanFile) -> list[tuple[str, str, str]]:
    return [(result["line"], result["result"], result["problem"]) for result in scan_files.read_results(file)]


def test_results_stay_a_files_own_when_later_uploads_come(
    courier: Actor, parcels: list[Parcel], django_capture_on_commit_callbacks: Any
) -> None:
    """An upload is deleted when it is recorded: its name must not be that of another courier's next one."""
    found = []
    for rows in ([row(parcels[0]), "x,y,z"], [row(parcels[1])]):
        with django_capture_on_commit_callbacks(execute=True):
            found.append(receive(courier, csv_file(*rows)))
    assert [len(results(file)) for file in found] == [2, 1]


# --- rows ------------------------------------------------------------------------------------


def test_each_row_gets_its_result(courier: Actor, parcels: list[Parcel]) -> None:
    first, second, third = parcels[:3]
    file = receive(
        courier,
        csv_file(
            row(first),
            row(first),
            "",
            row(second).replace("+00:00", ""),
            row(third, "available_for_pickup", 3, "e1", "", "箱", "是"),
            row(third, "correction", 4, "", "", "", "", "e1"),
            row(third, "held", 4),
            ",departed,,,,,,",
            row(first, "departed", 2, "", "", "", "", "", "one too many"),
        ),
    )
    assert (file.state, file.rows, file.accepted, file.duplicate, file.rejected) == ("done", 8, 3, 1, 4)
    assert results(file) == [
        ("2", "accepted", ""),
        ("3", "duplicate", ""),
        ("5", "rejected", "invalid"),
        ("6", "accepted", ""),
        ("7", "accepted", ""),
        ("8", "rejected", "reason_required"),
        ("9", "rejected", "invalid"),
        ("10", "rejected", "too_many_cells"),
    ]
    naive = next(result for result in scan_files.read_results(file) if result["line"] == "5")
    assert naive["column"] == "occurred_at"
    assert "2026-11-22T15:04:05+08:00" in naive["detail"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
def test_encodings_are_detected(courier: Actor, parcels: list[Parcel], encoding: str) -> None:
    upload = csv_file(row(parcels[0], "arrived", 1, "", "", "杭州转运中心"), encoding=encoding)
    assert receive(courier, upload).accepted == 1
    with scope(Scope.everything()):
        assert Scan.objects.get(parcel_id=parcels[0].pk).facility == "杭州转运中心"


def test_columns_may_be_in_any_order_and_optional_ones_omitted(courier: Actor, parcels: list[Parcel]) -> None:
    at = (BOOKED + timedelta(hours=1)).isoformat()
    upload = csv_file(f"{at},{parcels[0].number},picked_up", header="Occurred_at, tracking_number,CODE")
    assert receive(courier, upload).accepted == 1


def test_results_escape_formulas(courier: Actor) -> None:
    file = receive(courier, csv_file("=cmd|' /C calc'!A0,@x,+1,,,,,"))
    [result] = scan_files.read_results(file)
    assert (result["tracking_number"][:2], result["code"], result["occurred_at"]) == ("'=", "'@x", "'+1")


def test_template_is_a_valid_file(courier: Actor, courier_client: Client) -> None:
    answer = courier_client.get("/scans/template.csv")
    assert answer.status_code == 200
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    shape = rules.examine(io.BytesIO(answer.content))
    rows = list(rules.read_rows(io.BytesIO(answer.content), shape.encoding))
    assert [result.line for result in rows if isinstance(result.line, rules.Rejection)] == []
    assert all(parse_tracking_number(result.cells["tracking_number"]) for result in rows)


def test_open_quotation_mark_costs_its_row(courier: Actor, parcels: list[Parcel]) -> None:
    rows = [row(parcels[0], "arrived", n / 10, "", "", f"HUB-{n}") for n in range(1, 21)]
    rows[2] = row(parcels[0], "arrived", 0.3, "", "", '"HUB-3')
    file = receive(courier, csv_file(*rows))
    assert (file.rows, file.accepted, file.rejected) == (20, 19, 1)
    assert ("4", "rejected", "open_quote") in results(file)


def test_unreadable_line_costs_its_row(courier: Actor, parcels: list[Parcel]) -> None:
    rows = [HEADER, row(parcels[0], "arrived", 1, "", "", "HUB"), row(parcels[0], "departed", 2, "", "", "?")]
    content = "\n".join(rows).encode().replace(b"?", b"\xff")
    file = receive(courier, SimpleUploadedFile("scans.csv", content))
    assert results(file) == [("2", "accepted", ""), ("3", "rejected", "not_text")]


def test_places_in_another_encoding_are_never_shown(courier: Actor, parcels: list[Parcel]) -> None:
    rows = [row(parcels[0], "arrived", n, "", "", "東京駅") for n in (1, 2)]
    with pytest.raises(InvalidInput):
        receive(courier, csv_file(*rows, encoding="cp932"))


@pytest.mark.parametrize(
    "moment", ["1763600000", "46348.74", "20261122", "2026-11-22", "2026-11-22 10:00", "now"]
)
def test_bare_number_is_no_moment(courier: Actor, parcels: list[Parcel], moment: str) -> None:
    file = receive(courier, csv_file(f"{parcels[0].number},arrived,{moment}"))
    [result] = scan_files.read_results(file)
    assert (result["column"], result["result"]) == ("occurred_at", "rejected")
    assert "UTC offset" in result["detail"]


def test_cells_are_read_as_spreadsheets_write_them(courier: Actor, parcels: list[Parcel]) -> None:
    at = (BOOKED + timedelta(hours=1)).isoformat()
    line = f'="{parcels[0].number}",Picked up,{at},\'0012,,"Hub\u200b  1",,,'
    file = receive(
        courier, csv_file(line, "\u200b,,,", " ,,", header=f"\ufeff{HEADER.replace('_', ' ').title()},")
    )
    assert (file.rows, file.accepted) == (1, 1)
    with scope(Scope.everything()):
        [scan] = Scan.objects.all()
    assert (scan.code, scan.event_id, scan.facility) == ("picked_up", "0012", "Hub 1")


def test_long_place_is_told_with_the_limit(courier: Actor, parcels: list[Parcel]) -> None:
    file = receive(courier, csv_file(row(parcels[0], "arrived", 1, "", "", "x" * 65)))
    [result] = scan_files.read_results(file)
    assert (result["column"], result["detail"]) == ("facility", "At most 64 characters.")


# --- unusable files --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "phrases"),
    [
        (b"", "empty"),
        (HEADER.encode(), "no rows"),
        (b"tracking_number,code\nCA1,departed", "occurred_at"),
        (HEADER.encode() + b",colour\nCA1,departed", "colour"),
        (b"tracking_number,code,occurred_at,code\nCA1,departed,,", "twice"),
        (b"\xff\xfe\xff\xfe\xff", "column"),
        (b"tracking_number,code,occurred_at\n" + b"a,b,c\n" * 200_001, "200,000"),
        (b"\x89PNG\r\n\x1a\n\x00\x00", "a picture"),
    ],
)
def test_unusable_file_is_refused_with_a_reason(
    courier: Actor, courier_client: Client, content: bytes, phrases: str
) -> None:
    with pytest.raises(InvalidInput) as caught:
        receive(courier, SimpleUploadedFile("x.csv", content))
    assert any(word in caught.value.errors[0].message for word in phrases.split("|"))
    answer = courier_client.post(UPLOAD, {"file": SimpleUploadedFile("x.csv", content)})
    assert answer.status_code == 422
    with scope(Scope.everything()):
        assert not ScanFile.objects.exists()


# --- big files -------------------------------------------------------------------------------


def test_warnings_of_accepted_rows_are_in_the_results(courier: Actor, parcels: list[Parcel]) -> None:
    file = receive(
        courier, csv_file(row(parcels[0], "delivered", 2), row(parcels[0], "lost", 3), row(parcels[1]))
    )
    assert (file.accepted, file.rejected) == (3, 0)
    assert results(file) == [
        ("2", "accepted", ""),
        ("3", "accepted", "scanned_after_delivery"),
        ("4", "accepted", ""),
    ]


def big_file(parcels: list[Parcel], rows: int) -> SimpleUploadedFile:
    return csv_file(*(row(parcels[n % 5], "departed", 1 + n / 1000) for n in range(rows)))


def test_big_file_is_queued_for_a_worker(
    courier: Actor, parcels: list[Parcel], sent: list[Any], django_capture_on_commit_callbacks: Any
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        file = receive(courier, big_file(parcels, 4_500))
    assert (file.state, sent) == ("queued", [("parcels.tasks.process_file_of_scans", file.pk)])
    for _twice in range(2):
        tasks.process_file_of_scans(file.pk)
    with scope(Scope.everything()):
        file.refresh_from_db()
    assert (file.state, file.done, file.accepted, file.duplicate) == ("done", 4_500, 4_500, 0)
    assert len(results(file)) == 4_500


def test_interrupted_work_resumes_where_it_stopped(
    courier: Actor, parcels: list[Parcel], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = receive(courier, big_file(parcels, 4_500))
    append, calls = scan_files.append_rows, []

    def cut_off(*arguments: Any) -> int:
        size = append(*arguments)
        calls.append(size)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return size

    monkeypatch.setattr(scan_files, "append_rows", cut_off)
    with pytest.raises(KeyboardInterrupt):
        scan_files.process_scan_file(file_id=file.pk)
    with scope(Scope.everything()):
        file.refresh_from_db()
        assert (file.state, file.done, Scan.objects.count()) == ("running", 2_000, 2_000)
    assert len(results(file)) == 2_000
    assert scan_files.resume_scan_files(now=timezone.now() + timedelta(minutes=3)) == 1
    scan_files.process_scan_file(file_id=file.pk)
    with scope(Scope.everything()):
        file.refresh_from_db()
    assert (file.state, file.accepted, file.duplicate) == ("done", 4_500, 0)
    assert len({line for line, _result, _problem in results(file)}) == 4_500


def test_file_is_not_done_before_its_last_batch_is_on_every_worker(
    courier: Actor, parcels: list[Parcel], monkeypatch: pytest.MonkeyPatch
) -> None:
    # On a cluster: a worker was killed before it committed the part that the coordinator had committed.
    monkeypatch.setattr(scan_files, "is_distributed", lambda: True)

    def refuse(*arguments: Any) -> None:
        raise Unavailable

    with monkeypatch.context() as patch:
        patch.setattr(scan_files, "_finish", refuse)
        file = receive(courier, big_file(parcels, 4_500))
        assert not scan_files.process_scan_file(file_id=file.pk)
    with monkeypatch.context() as patch:
        patch.setattr(scan_files, "require_settled", refuse)
        assert not scan_files.process_scan_file(file_id=file.pk)
    with scope(Scope.everything()):
        file.refresh_from_db()
    assert (file.state, file.done, file.accepted, file.attempts) == ("running", 4_500, 4_500, 0)
    assert scan_files.process_scan_file(file_id=file.pk)
    with scope(Scope.everything()):
        file.refresh_from_db()
    assert (file.state, len(results(file))) == ("done", 4_500)


def test_suspended_courier_still_reports_what_is_under_way(
    courier: Actor, courier_organisation: Organisation, parcels: list[Parcel]
) -> None:
    file = receive(courier, big_file(parcels, 2_001))
    with scope(Scope.everything()):
        Organisation.objects.filter(pk=courier_organisation.pk).update(status=OrganisationStatus.SUSPENDED)
    scan_files.process_scan_file(file_id=file.pk)
    with scope(Scope.everything()):
        file.refresh_from_db()
    assert (file.state, file.accepted) == ("done", 2_001)


def test_batch_that_keeps_failing_fails_the_file_and_ops_may_go_on(
    courier: Actor, parcels: list[Parcel], system: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = receive(courier, big_file(parcels, 2_500))
    genuine = scan_files.record_scans

    def broken(*, actor: Actor, lines: list[Any]) -> Any:
        if len(lines) == 500:
            raise RuntimeError("a bug of ours")
        return genuine(actor=actor, lines=lines)

    with monkeypatch.context() as patched:
        patched.setattr(scan_files, "record_scans", broken)
        failed = fail_at_every_attempt(
            file,
            lambda: scan_files.process_scan_file(file_id=file.pk),
            lambda now: scan_files.resume_scan_files(now=now),
        )
    assert failed.problem == "Something went wrong on our side. Rows already processed: 2000."
    with scope(Scope.everything()):
        assert scan_files.retry_scan_file(actor=system, file_id=file.pk)
        assert not scan_files.retry_scan_file(actor=system, file_id=file.pk)
    assert scan_files.process_scan_file(file_id=file.pk)
    with scope(Scope.everything()):
        file.refresh_from_db()
    assert (file.state, file.accepted, file.duplicate, file.problem) == ("done", 2_500, 0, "")
    assert len(results(file)) == 2_500


def test_small_file_whose_batch_fails_is_kept_and_tried_again(
    courier: Actor, courier_client: Client, parcels: list[Parcel], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(**_given: Any) -> Any:
        raise RuntimeError("a bug of ours")

    with monkeypatch.context() as patched:
        patched.setattr(scan_files, "record_scans", broken)
        file = receive(courier, csv_file(row(parcels[0])))
    page = courier_client.get(f"/scans/files/{file.pk}/").content.decode()
    assert "Something went wrong on our side. Rows already processed: 0. We will try again after" in page
    assert scan_files.process_scan_file(file_id=file.pk)
    with scope(Scope.everything()):
        file.refresh_from_db()
    assert (file.state, file.accepted) == ("done", 1)


def test_ops_see_files_and_resume_failed_ones(
    courier: Actor, parcels: list[Parcel], ops_client: Client
) -> None:
    file = receive(courier, big_file(parcels, 2_001))
    with scope(Scope.everything()):
        ScanFile.objects.update(state="failed", problem="a bug of ours", attempts=5)
    url = "/admin/parcels/scanfile/"
    assert "a bug of ours" in ops_client.get(url).content.decode()
    ops_client.post(url, {"action": "go_on", "_selected_action": [file.pk]})
    with scope(Scope.everything()):
        file.refresh_from_db()
    assert (file.state, file.attempts, file.problem) == ("queued", 0, "")


# --- pages -----------------------------------------------------------------------------------


def test_upload_redirects_to_the_results(courier_client: Client, parcels: list[Parcel]) -> None:
    upload = csv_file(row(parcels[0]), row(parcels[1]), row(parcels[2], "held"))
    answer = courier_client.post(UPLOAD, {"file": upload}, follow=True)
    page = answer.content.decode()
    assert answer.redirect_chain[0][0].startswith("/scans/files/")
    assert "needs a reason" in page
    assert parcels[2].number in page
    assert parcels[0].number not in page
    everything = courier_client.get(answer.redirect_chain[0][0], {"show": ""}).content.decode()
    assert parcels[0].number in everything
    # The file is finished, so the page does not poll.
    assert 'hx-trigger="every' not in page
    assert "scans.csv" in courier_client.get(UPLOAD).content.decode()


def test_page_of_a_running_file_polls(courier: Actor, courier_client: Client, parcels: list[Parcel]) -> None:
    file = receive(courier, big_file(parcels, 2_500))
    page = courier_client.get(f"/scans/files/{file.pk}/").content.decode()
    assert 'hx-trigger="every 2s"' in page
    assert 'max="2500"' in page


def test_results_are_paged_and_downloaded(
    courier: Actor, courier_client: Client, parcels: list[Parcel]
) -> None:
    file = receive(courier, csv_file(*(row(parcels[0], "teleported", n) for n in range(1, 250))))
    url = f"/scans/files/{file.pk}/"
    assert courier_client.get(url).content.decode().count("Unknown scan code") == 100
    assert courier_client.get(url, {"from": "200"}).content.decode().count("Unknown scan code") == 49
    assert courier_client.get(url, {"from": "x"}).status_code == 200
    refused = courier_client.get(url, {"show": "x"})
    assert (refused.status_code, refused.context["rows"]) == (422, [])
    assert "x is not one of the available choices" in refused.content.decode()
    download = b"".join(courier_client.get(f"{url}results.csv").streaming_content).decode("utf-8-sig")  # type: ignore[attr-defined]
    assert len(list(csv.DictReader(io.StringIO(download)))) == 249


def test_files_are_visible_only_to_their_courier(
    courier: Actor,
    courier_client: Client,
    merchant_client: Client,
    ops_client: Client,
    rival_courier: Organisation,
    parcels: list[Parcel],
) -> None:
    from tests.factories import member_user  # noqa: PLC0415 -- a user of the rival's

    file = receive(courier, csv_file(row(parcels[0])))
    rival = Client()
    rival.force_login(
        member_user("rival@alliance.example", rival_courier),
        backend="django.contrib.auth.backends.ModelBackend",
    )
    for url in (f"/scans/files/{file.pk}/", f"/scans/files/{file.pk}/results.csv"):
        assert courier_client.get(url).status_code == 200
        assert rival.get(url).status_code == 404
        assert merchant_client.get(url).status_code == 403
        assert ops_client.get(url).status_code == 404
        assert Client().get(url).status_code == 302
    with scope(Scope.courier(rival_courier.pk)):
        assert not ScanFile.objects.exists()
