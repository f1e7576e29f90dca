"""Files of recipients, read into an address book and written from it."""

import io
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone

from alliance.errors import InvalidInput
from alliance.tenancy import Actor, Scope, scope
from alliance.workbooks.writing import write_workbook
from parcels.models import SavedRecipient
from parcels.recipients.services import files
from tests.parcels.recipients.conftest import Save

IMPORT = "/recipients/import/"
FILE = """姓名,手机号,收货城市,详细地址,备注
王小明,138 0000 1101,成都,人民路 1 号,按门铃
王小明,13800001101,CN-CTU,人民路 1 号,
,12,Nowhere,,
李雷,0571-85011104 转 12,杭州市,文三路 90 号,
"""


def read(merchant: Actor, content: bytes, name: str = "book.csv") -> list[files.RowResult]:
    table = files.read_file(SimpleUploadedFile(name, content))
    with scope(Scope.of(merchant)):
        return files.import_recipients(actor=merchant, table=table, at=timezone.now())


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
def test_each_row_has_its_result(merchant: Actor, encoding: str) -> None:
    results = read(merchant, FILE.encode(encoding))
    assert [(result.line, result.outcome) for result in results] == [
        (2, "added"),
        (3, "known"),
        (4, "rejected"),
        (5, "added"),
    ]
    assert sorted((error.pointer, error.code) for error in results[2].errors) == [
        ("/address", "required"),
        ("/city", "unknown_city"),
        ("/name", "required"),
        ("/phone", "invalid"),
    ]
    with scope(Scope.of(merchant)):
        rows = SavedRecipient.objects.order_by("pk").values_list("name", "digits", "city__code", "remark")
        assert list(rows) == [
            ("王小明", "13800001101", "CN-CTU", "按门铃"),
            ("李雷", "057185011104", "CN-HGH", ""),
        ]


def test_a_file_read_again_adds_nothing(merchant: Actor) -> None:
    read(merchant, FILE.encode())
    assert [result.outcome for result in read(merchant, FILE.encode())].count("added") == 0


def test_what_is_written_is_read_again(merchant: Actor, save: Save) -> None:
    save(name="=1+1", remark="@you")
    with scope(Scope.of(merchant)):
        with write_workbook(files.export_rows(actor=merchant)) as book:
            content = book.read()
        SavedRecipient.objects.all().delete()
    [result] = read(merchant, content, "book.xlsx")
    assert result.outcome == "added"
    with scope(Scope.of(merchant)):
        again = SavedRecipient.objects.get()
    assert (again.name, again.remark, again.phone) == ("=1+1", "@you", "138 0000 1101")


def test_numbers_of_a_workbook_are_phones_only_where_no_zero_is_lost(merchant: Actor) -> None:
    import xlsxwriter  # noqa: PLC0415 -- for this file alone

    target = io.BytesIO()
    with xlsxwriter.Workbook(target) as book:
        sheet = book.add_worksheet()
        rows: list[list[Any]] = [
            ["name", "phone", "city", "address"],
            ["王小明", 13800001101, "CN-CTU", "人民路 1 号"],
            ["李雷", 57185011104, "CN-HGH", "文三路 90 号"],
        ]
        for place, row in enumerate(rows):
            sheet.write_row(place, 0, row)
    results = read(merchant, target.getvalue(), "book.xlsx")
    assert [result.outcome for result in results] == ["added", "rejected"]
    assert [(error.pointer, error.code) for error in results[1].errors] == [("/phone", "number")]


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"", "empty"),
        (b"%PDF-1.7 x", "PDF"),
        (b"name,phone,city\na,b,c\n", "missing: address"),
        (b"name,phone,city,address,age\na,b,c,d,9\n", "“age”"),
        (b"name,phone,city,address\n", "no rows"),
        (b"PK\x03\x04xl/ no workbook", "damaged"),
    ],
)
def test_an_unusable_file_says_why_and_leaves_nothing(
    merchant: Actor, settings: Any, content: bytes, text: str
) -> None:
    with pytest.raises(InvalidInput) as refusal:
        read(merchant, content)
    assert text in " ".join(error.message for error in refusal.value.errors)
    assert list(Path(settings.FILE_UPLOAD_TEMP_DIR).glob("*.upload*")) == []


def test_a_full_address_book_takes_what_it_has_room_for(
    merchant: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "MOST_SAVED", 1)
    results = read(merchant, FILE.encode())
    assert [result.outcome for result in results] == ["added", "known", "rejected", "rejected"]
    assert [error.code for error in results[3].errors] == ["address_book_full"]


def test_the_page_says_of_each_row_what_is_wrong(merchant_client: Client, merchant: Actor) -> None:
    upload = SimpleUploadedFile("book.csv", FILE.encode())
    page = merchant_client.post(IMPORT, {"file": upload}).content.decode()
    assert "Rows that were not added" in page
    assert "Enter a phone number with its area code" in page
    response = merchant_client.post(IMPORT, {"file": SimpleUploadedFile("a.csv", b"a,b\n1,2\n")})
    assert response.status_code == 422
    exported = b"".join(merchant_client.get("/recipients/export.csv")).decode()  # type: ignore[call-overload]
    assert "李雷,0571-85011104 转 12,CN-HGH,文三路 90 号," in exported
