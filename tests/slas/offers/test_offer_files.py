"""Files of offers: checked, shown, saved when somebody says so, and resumed."""

import csv
import io
import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from alliance.errors import Conflict, InvalidInput, NotFound
from alliance.members.services.standing import suspend_organisation
from alliance.models import Organisation
from alliance.tenancy import Actor, Scope, scope
from slas.models import Offer, OfferFile
from slas.offers.services import offer_files
from slas.offers.services.offer_file_retention import forget_offer_files
from slas.offers.services.offer_files import process_offer_file, receive_offer_file, save_offer_file
from tests import factories

pytestmark = pytest.mark.django_db

HEADER = "tier,origin,destination,price,daily_capacity,on_sale\n"
GOOD = "next_day,杭州,CN-CTU,12.50,100,yes\nstandard,Hangzhou,成都,8,500,\n"


@pytest.fixture(autouse=True)
def _private_folder(settings: Any, tmp_path: Path) -> None:
    settings.MEDIA_ROOT = tmp_path


def receive(actor: Actor, rows: str | bytes, name: str = "offers.csv") -> OfferFile:
    content = rows if isinstance(rows, bytes) else (HEADER + rows).encode()
    with scope(Scope.of(actor)):
        return receive_offer_file(actor=actor, upload=SimpleUploadedFile(name, content))


def save(actor: Actor, file: OfferFile) -> OfferFile:
    with scope(Scope.of(actor)):
        return save_offer_file(actor=actor, file_id=file.pk)


def outcomes(file: OfferFile) -> list[tuple[str, str, str]]:
    return [(row["line"], row["result"], row["problem"]) for row in offer_files.read_results(file)]


def counts(file: OfferFile) -> tuple[str, int, int, int, int]:
    return file.state, file.created, file.changed, file.unchanged, file.rejected


def offers(actor: Actor) -> list[tuple[int, bool]]:
    with scope(Scope.of(actor)):
        return sorted(Offer.objects.values_list("price_fen", "active"))


def test_nothing_is_on_sale_before_the_file_is_saved(courier: Actor) -> None:
    file = receive(courier, GOOD)
    assert counts(file) == ("checked", 2, 0, 0, 0)
    assert offers(courier) == []
    assert counts(save(courier, file)) == ("done", 2, 0, 0, 0)
    assert offers(courier) == [(800, True), (1250, True)]
    # Saving again changes nothing.
    assert counts(save(courier, file)) == ("done", 2, 0, 0, 0)


def test_changes_are_told_with_the_values_before(courier: Actor) -> None:
    save(courier, receive(courier, GOOD))
    rows = "next_day,CN-HGH,成都市,12.50,100,是\nstandard,Hangzhou,Chengdu,7.90,500,no\n"
    file = receive(courier, rows)
    assert counts(file) == ("checked", 0, 1, 1, 0)
    changed = list(offer_files.read_results(file))[1]
    names = ("price", "old_price", "daily_capacity", "old_daily_capacity", "on_sale", "old_on_sale")
    assert [changed[name] for name in names] == ["7.90", "8.00", "500", "500", "no", "yes"]
    save(courier, file)
    assert offers(courier) == [(790, False), (1250, True)]


def test_rejected_rows_can_be_corrected_and_uploaded(courier: Actor) -> None:
    file = receive(courier, "next_day,杭州,=cmd,12.50,100,\nrocket,杭州,成都,-1,1.5,maybe\n" + GOOD)
    assert outcomes(file) == [
        ("2", "rejected", "unknown_city"),
        ("3", "rejected", "choice negative number"),
        ("4", "created", ""),
        ("5", "created", ""),
    ]
    text = offer_files.rejected_path(file).read_text(encoding="utf-8-sig")
    rejected = list(csv.DictReader(io.StringIO(text)))
    assert [row["destination"] for row in rejected] == ["'=cmd", "成都"]
    assert all(row["problem"] for row in rejected)
    corrected = receive(courier, text.replace("'=cmd", "成都").replace(",-1,1.5,maybe", ",1,1,yes").encode())
    assert counts(corrected)[1:] == (1, 0, 0, 1)


def test_row_is_read_as_people_write_it(courier: Actor) -> None:
    rows = 'Next day,="CN-HGH",成都,１２．５０,"25,000",ＮＯ\n次日达,Chengdu,\u200bHangzhou,8,100,是\n'
    save(courier, receive(courier, rows))
    assert offers(courier) == [(800, True), (1250, False)]


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        # A decimal comma: a price of 12 and 50 parcels a day otherwise.
        ("next_day,杭州,成都,12,50,100,yes", "too_many_cells"),
        ("next_day,杭州,成都,12,50", "too_few_cells"),
        ('next_day,杭州,成都,"12,50",100,', "invalid"),
        ('next_day,"杭州,成都,12,50,', "open_quote"),
        ("next_day,Henan,成都,12,50,", "ambiguous_city"),
        ("next_day,a\0b,成都,1,1,", "unknown_city"),
    ],
)
def test_bad_row_costs_itself_and_is_told_by_its_line(courier: Actor, row: str, problem: str) -> None:
    file = receive(courier, f"\n,,,,,\n{row}\nnext_day,杭州,成都,9,9,\n")
    assert outcomes(file) == [("4", "rejected", problem), ("5", "created", "")]


def test_second_row_of_a_lane_is_rejected(courier: Actor) -> None:
    file = receive(courier, "next_day,杭州,成都,12,100,\nnext_day,CN-HGH,Chengdu,13,100,\n")
    assert outcomes(file) == [("2", "created", ""), ("3", "rejected", "duplicate")]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty"),
        (b"tier,origin\nx,y\n", "missing: destination"),
        (HEADER.encode(), "no rows"),
        (HEADER.replace("on_sale", "onsaale").encode() + b"a,b,c,1,1,no\n", "mean on_sale"),
        (b"\xff\xff\xff\xff", "CSV UTF-8"),
        ((HEADER + "a,b,c,1,1,\n" * 20_001).encode(), "20,001 rows"),
        (b"x" * (4 * 1024 * 1024 + 1), "larger than 4 MB"),
    ],
)
def test_unusable_file_is_refused_and_not_stored(courier: Actor, content: bytes, words: str) -> None:
    with pytest.raises(InvalidInput) as error:
        receive(courier, content)
    assert words in error.value.errors[0].message
    with scope(Scope.everything()):
        assert not OfferFile.objects.exists()


def test_unknown_city_is_looked_up_once(courier: Actor) -> None:
    few = receive(courier, "next_day,Nowhere,成都,1,1,\n" * 3)
    with CaptureQueriesContext(connection) as queries:
        many = receive(courier, "next_day,Nowhere,成都,1,1,\n" * 290)
    assert (few.rejected, many.rejected) == (3, 290)
    assert len(queries) < 60


def test_large_file_is_worked_through_by_a_task_and_resumed(
    courier: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(offer_files, "AT_ONCE", 1)
    monkeypatch.setattr(offer_files, "SLICE", 1)
    file = receive(courier, GOOD + "standard,Hangzhou,成都,9,500,\n")
    assert (file.state, file.done) == ("queued", 0)
    assert process_offer_file(file_id=file.pk)
    with scope(Scope.everything()):
        file.refresh_from_db()
    assert counts(file) == ("checked", 2, 0, 0, 1)
    save(courier, file)
    with scope(Scope.everything()):
        OfferFile.objects.update(due_at="2020-01-01T00:00:00Z")
    # Killed after two rows, and handed out again: the third knows the lane of the second.
    original, calls = offer_files._process, []

    def killed(*args: Any) -> None:
        calls.append(args)
        if len(calls) == 3:
            raise KeyboardInterrupt
        original(*args)

    monkeypatch.setattr(offer_files, "_process", killed)
    with pytest.raises(KeyboardInterrupt):
        process_offer_file(file_id=file.pk)
    assert process_offer_file(file_id=file.pk)
    with scope(Scope.everything()):
        file.refresh_from_db()
    assert counts(file) == ("done", 2, 0, 0, 1)
    assert offers(courier) == [(800, True), (1250, True)]


def test_file_of_a_courier_suspended_meanwhile_is_not_saved(
    courier: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = receive(courier, GOOD)
    monkeypatch.setattr(offer_files, "AT_ONCE", 0)
    save(courier, file)
    with scope(Scope.everything()):
        suspend_organisation(
            actor=Actor.system("test"), organisation_id=courier.tenant_id, reason="Forged permit."
        )
    process_offer_file(file_id=file.pk)
    with scope(Scope.everything()):
        file.refresh_from_db()
    assert "suspended" in file.problem
    assert counts(file)[0] != "done"
    assert offers(courier) == []


def test_three_files_at_most_are_at_work(courier: Actor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(offer_files, "AT_ONCE", 0)
    files = [receive(courier, GOOD) for _number in range(3)]
    with pytest.raises(Conflict):
        receive(courier, GOOD)
    with pytest.raises(Conflict):
        save(courier, files[0])


def test_files_of_others_are_not_there(courier: Actor, rival_courier: Organisation) -> None:
    file = receive(courier, GOOD)
    rival = Actor(
        kind="user",
        organisation_id=rival_courier.pk,
        organisation_kind="courier",
        capabilities=courier.capabilities,
    )
    with pytest.raises(NotFound):
        save(rival, file)


# --- pages -----------------------------------------------------------------------------------


def test_pages_show_the_changes_and_save_them(courier_client: Client) -> None:
    template = courier_client.get(reverse("slas:offer_template")).content
    answer = courier_client.post(
        reverse("slas:offer_upload"), {"file": SimpleUploadedFile("offers.csv", template)}, follow=True
    )
    page = answer.content.decode()
    assert "3 offers would change" in page
    assert "CN-HGH → CN-CTU" in page
    with scope(Scope.everything()):
        file = OfferFile.objects.get()
        assert not Offer.objects.exists()
    saved = courier_client.post(reverse("slas:offer_file_save", args=[file.pk]), follow=True)
    assert "The offers were saved" in saved.content.decode()
    with scope(Scope.everything()):
        assert Offer.objects.count() == 3
    results = courier_client.get(reverse("slas:offer_file_results", args=[file.pk]))
    assert b"created" in b"".join(results.streaming_content)
    assert courier_client.get(reverse("slas:offer_file_rejected", args=[file.pk])).status_code == 404
    assert "offers.csv" in courier_client.get(reverse("slas:offer_upload")).content.decode()


def test_chinese_template_is_read(courier_client: Client) -> None:
    answer = courier_client.get(reverse("slas:offer_template"), headers={"accept-language": "zh-hans"})
    assert answer.content.decode("utf-8-sig").startswith("时效产品,")
    upload = {"file": SimpleUploadedFile("报价.csv", answer.content)}
    assert courier_client.post(reverse("slas:offer_upload"), upload).status_code == 302


def test_refused_file_is_told_at_its_field(courier_client: Client) -> None:
    upload = {"file": SimpleUploadedFile("offers.csv", b"%PDF-1.7")}
    answer = courier_client.post(reverse("slas:offer_upload"), upload)
    assert answer.status_code == 422
    assert "a PDF, not a CSV" in answer.content.decode()


def test_agents_do_not_upload(courier_organisation: Organisation) -> None:
    agent = Client()
    agent.force_login(
        factories.member_user("agent@alliance.example", courier_organisation, "agent"),
        backend="django.contrib.auth.backends.ModelBackend",
    )
    assert agent.get(reverse("slas:offer_upload")).status_code == 403


# --- encodings, words, retention --------------------------------------------------------------


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_wide_file_is_read_and_can_be_saved(courier: Actor, encoding: str) -> None:
    file = receive(courier, (HEADER + GOOD).encode(encoding))
    assert counts(file) == ("checked", 2, 0, 0, 0)
    assert counts(save(courier, file)) == ("done", 2, 0, 0, 0)


@pytest.mark.parametrize(
    ("word", "active"), [("上架", True), ("在售", True), ("下架", False), ("停售", False)]
)
def test_words_of_the_trade_say_whether_an_offer_is_on_sale(courier: Actor, word: str, active: bool) -> None:
    save(courier, receive(courier, f"next_day,杭州,CN-CTU,12.50,100,{word}\n"))
    assert offers(courier) == [(1250, active)]


def test_missing_city_is_told_as_such_and_each_error_with_its_column(courier: Actor) -> None:
    file = receive(courier, "next_day,,CN-CTU,x,100,yes\n")
    [row] = offer_files.read_results(file)
    assert (row["column"], row["problem"]) == ("origin price", "required invalid")
    assert row["detail"].startswith("origin: This field is required. price: ")


def test_files_are_deleted_after_their_retention(courier: Actor, tmp_path: Path) -> None:
    file = receive(courier, GOOD)
    orphan = tmp_path / "offer_files" / "2026" / "orphan.csv"
    orphan.parent.mkdir(parents=True, exist_ok=True)
    orphan.write_text("x")
    os.utime(orphan, (0, 0))
    now = timezone.now()
    assert forget_offer_files(now=now) == 0
    assert not orphan.exists()
    assert Path(file.content.path).exists()
    assert forget_offer_files(now=now + timedelta(days=31)) == 1
    assert forget_offer_files(now=now + timedelta(days=31)) == 0
    assert not [path for path in (tmp_path / "offer_files").rglob("*") if path.is_file()]
    with scope(Scope.of(courier)):
        file.refresh_from_db()
    assert list(offer_files.read_results(file)) == []
    with pytest.raises(Conflict, match="deleted after 30 days"):
        save(courier, file)
