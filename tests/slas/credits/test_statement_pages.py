"""Pages, CSV and PDF of statements, for merchants, couriers and ops."""

import csv
import io
import re
from datetime import timedelta

import pytest
from django.conf import settings
from django.test import Client
from django.utils import timezone
from pypdf import PdfReader

from alliance.choices import Role
from alliance.models import Organisation
from alliance.tenancy import Actor, Scope, scope
from slas.commitments.services.settling import mark_lost
from slas.credits.months import month_of, next_month, spell, start_of
from slas.credits.services.closing import close_month
from slas.credits.statements import PAGE, PARTS
from slas.models import CreditEntry
from slas.portal.statement_files import COLUMNS
from tests import factories
from tests.slas.helpers.commitments import DAY, HOUR, NOON, Lane
from tests.slas.helpers.credit_cases import credit_others, deliver, ledger, send, work

pytestmark = pytest.mark.django_db
MONTH = month_of(NOON)
TEXT = spell(MONTH)
URL = f"/statements/{TEXT}/"


@pytest.fixture
def credited(lane: Lane) -> Lane:
    """Three parcels: late (5.00), overdue and then on time after all, overdue and then lost (200.00)."""
    with scope(Scope.everything()):
        late, punctual, lost = (send(lane.of_one_home()) for _ in range(3))
        deliver(late, NOON + 25 * HOUR)
        work(NOON + HOUR)
        deliver(punctual, NOON - HOUR, now=NOON + HOUR)
        mark_lost(lost={lost: NOON + HOUR}, now=NOON + HOUR)
        work(NOON + HOUR)
    assert [amount for amount, _cause in ledger()] == [500, 200, 200, -200, 19_800]
    return lane


def text_of(response: object) -> str:
    """A page's text without tags."""
    html = response.content.decode()  # type: ignore[attr-defined]
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html))


def rows_of(client: Client, url: str = f"{URL}csv/") -> list[dict[str, str]]:
    response = client.get(url)
    assert response["Content-Type"] == "text/csv; charset=utf-8"
    content = b"".join(response.streaming_content).decode()
    assert content.startswith("\ufeff")
    return list(csv.DictReader(io.StringIO(content[1:])))


def pdf_of(client: Client, url: str = f"{URL}pdf/") -> PdfReader:
    response = client.get(url)
    assert response["Content-Type"] == "application/pdf"
    return PdfReader(io.BytesIO(response.content))


# --- pages -------------------------------------------------------------------------------------


@pytest.mark.usefixtures("in_its_month")
def test_list_has_the_current_month_and_final_ones(
    credited: Lane, merchant_client: Client, system: Actor
) -> None:
    response = merchant_client.get("/statements/")
    assert [(month.text, month.entries, month.total) for month in response.context["months"]] == [
        (TEXT, 5, "205.00")
    ]
    assert "Open" in text_of(response)
    with scope(Scope.everything()):
        close_month(actor=system, month=MONTH, now=start_of(next_month(MONTH)))
    response = merchant_client.get("/statements/")
    assert "Final" in text_of(response)
    assert (response.context["final"], response.context["months"][0].total) == ("205.00", "205.00")


def test_a_month_adds_up_by_service_cause_and_courier(credited: Lane, merchant_client: Client) -> None:
    response = merchant_client.get(URL)
    summary = response.context["summary"]
    assert (summary.sums.credited, summary.sums.taken_back, summary.sums.total) == (
        "207.00",
        "-2.00",
        "205.00",
    )
    assert [(part.code, part.entries, part.total) for part in summary.tiers] == [("next_day", 5, "205.00")]
    assert [(part.name, part.total) for part in summary.counterparties] == [("Swift Express", "205.00")]
    assert [(part.code, part.entries, part.total) for part in summary.causes] == [
        ("late", 1, "5.00"),
        ("overdue", 2, "4.00"),
        ("lost", 1, "198.00"),
        ("withdrawn", 1, "-2.00"),
    ]


def test_lines_have_causes_and_a_running_total(credited: Lane, courier_client: Client) -> None:
    response = courier_client.get(URL)
    assert [(row.line.amount, row.line.running) for row in response.context["rows"]] == [
        ("5.00", "5.00"),
        ("2.00", "7.00"),
        ("2.00", "9.00"),
        ("-2.00", "7.00"),
        ("198.00", "205.00"),
    ]
    text = text_of(response)
    assert "Lotus Tea" in text
    assert "late by 1 d 1 h" in text
    assert "Found to be on time: reversed" in text
    assert "Owed to merchants (CNY) 205.00" in text


def test_pages_go_on_and_back_with_the_running_total(lane: Lane, merchant_client: Client) -> None:
    with scope(Scope.everything()):
        for _ in range(2 * PAGE + 1):
            send(lane)
        work()
    first = merchant_client.get(URL)
    second = merchant_client.get(URL + first.context["next_url"])
    third = merchant_client.get(URL + second.context["next_url"])
    assert [len(page.context["rows"]) for page in (first, second, third)] == [PAGE, PAGE, 1]
    assert third.context["rows"][0].line.running == "202.00"
    assert (first.context["previous_url"], third.context["next_url"]) == ("", "")

    def shown(page: object) -> list[int]:
        return [row.entry.pk for row in page.context["rows"]]  # type: ignore[attr-defined]

    back = merchant_client.get(URL + third.context["previous_url"])
    assert shown(back) == shown(second)
    assert shown(merchant_client.get(URL + back.context["previous_url"])) == shown(first)


def test_merchants_of_a_month_have_pages_of_their_own(credited: Lane, courier_client: Client) -> None:
    # The same totals for all but the first.
    others = credit_others(credited, 2 * PARTS, fen=700)
    pages, url = [], URL
    while url:
        page = courier_client.get(url)
        pages.append([part.organisation_id for part in page.context["summary"].counterparties])
        url = page.context["next_parts_url"] and URL + page.context["next_parts_url"]
    assert [pk for shown in pages for pk in shown] == [credited.merchant.pk, *others]
    assert [len(shown) for shown in pages] == [PARTS, PARTS, 1]
    back = courier_client.get(URL + page.context["previous_parts_url"])
    assert [part.organisation_id for part in back.context["summary"].counterparties] == pages[1]
    first = courier_client.get(URL + back.context["previous_parts_url"])
    assert [part.organisation_id for part in first.context["summary"].counterparties] == pages[0]
    assert first.context["previous_parts_url"] == ""
    # On paper they are all.
    assert "Merchant 39" in "".join(page.extract_text() for page in pdf_of(courier_client).pages)


def test_place_among_merchants_that_is_not_of_the_month_is_refused(
    credited: Lane, courier_client: Client
) -> None:
    assert courier_client.get(URL, {"parts": "700|1~123456789012"}).status_code == 422


@pytest.mark.parametrize("after", ["x", "-1", "99999999999999999999", "１２"])
def test_cursor_that_is_not_of_the_list_is_refused(
    credited: Lane, merchant_client: Client, after: str
) -> None:
    page = merchant_client.get(URL, {"after": after})
    assert (page.status_code, page.context["rows"]) == (422, [])
    assert "This link does not fit this list" in page.content.decode()


def test_page_after_the_last_entry_says_that_the_list_ends(credited: Lane, merchant_client: Client) -> None:
    seal = merchant_client.get(URL).context["sorting"].seal
    page = merchant_client.get(URL, {"after": seal.close("999999999")})
    assert "No more results" in page.content.decode()
    assert len(merchant_client.get(URL + page.context["newest_url"]).context["rows"]) == 5


def test_current_month_exists_before_its_first_entry(merchant_client: Client, lane: Lane) -> None:
    today = spell(month_of(timezone.now()))
    assert "No credits so far" in text_of(merchant_client.get(f"/statements/{today}/"))
    assert pdf_of(merchant_client, f"/statements/{today}/pdf/").pages
    assert rows_of(merchant_client, f"/statements/{today}/csv/") == []


@pytest.mark.parametrize(
    ("month", "status", "message"),
    [
        ("2019-01", 404, "There are no entries in that month."),
        ("2084-01", 404, "There are no entries in that month."),
        ("2026-13", 422, "Write a month from 2000 to 2099, as in 2026-10."),
        ("2026-1", 422, "Write a month from 2000 to 2099, as in 2026-10."),
        ("now", 422, "Write a month from 2000 to 2099, as in 2026-10."),
    ],
)
@pytest.mark.parametrize("page", ["", "csv/", "pdf/"])
def test_month_without_entries_is_not_found(
    merchant_client: Client, credited: Lane, month: str, page: str, status: int, message: str
) -> None:
    response = merchant_client.get(f"/statements/{month}/{page}")
    assert response.status_code == status
    assert message in response.content.decode()


def test_statements_of_others_are_hidden(
    credited: Lane, rival_merchant: Organisation, rival_courier: Organisation
) -> None:
    for number, organisation in enumerate((rival_merchant, rival_courier)):
        client = Client()
        client.force_login(
            factories.member_user(f"rival{number}@alliance.example", organisation),
            backend="django.contrib.auth.backends.ModelBackend",
        )
        assert [month.entries for month in client.get("/statements/").context["months"]] == [0]
        response = client.get("/statements/", {"organisation": credited.merchant.public_id})
        assert response.status_code == 422
        assert "You see your own statements: leave this out." in response.content.decode()


def test_an_agent_sees_no_money(credited: Lane) -> None:
    client = Client()
    client.force_login(
        factories.member_user("agent@alliance.example", credited.merchant, Role.AGENT),
        backend="django.contrib.auth.backends.ModelBackend",
    )
    assert client.get("/statements/").status_code == 403
    assert "Statements" not in text_of(client.get("/parcels/"))


@pytest.mark.usefixtures("in_its_month")
def test_ops_read_whose_they_name(credited: Lane, ops_client: Client) -> None:
    assert ops_client.get("/statements/")["Location"] == "/admin/slas/statement/"
    assert ops_client.get(URL).status_code == 422
    assert ops_client.get(URL, {"organisation": "nobody"}).status_code == 422
    query = {"organisation": credited.courier.public_id}
    response = ops_client.get(URL, query)
    assert "Owed to merchants (CNY) 205.00" in text_of(response)
    assert f"?organisation={credited.courier.public_id}" in response.content.decode()
    assert ops_client.get("/statements/", query).context["months"][0].total == "205.00"


def test_lines_lead_to_their_parcels(credited: Lane, merchant_client: Client) -> None:
    line = merchant_client.get(URL).context["rows"][0].line
    assert f"/parcels/{line.entry.number}/" in merchant_client.get(URL).content.decode()


# --- files -------------------------------------------------------------------------------------


def test_the_csv_is_the_ledger(credited: Lane, merchant_client: Client) -> None:
    rows = rows_of(merchant_client)
    assert list(rows[0]) == list(COLUMNS)
    assert [(row["amount"], row["balance"], row["cause"]) for row in rows] == [
        ("5.00", "5.00", "late"),
        ("2.00", "7.00", "overdue"),
        ("2.00", "9.00", "overdue"),
        ("-2.00", "7.00", "withdrawn"),
        ("198.00", "205.00", "lost"),
    ]
    first = rows[0]
    assert (first["counterparty_name"], first["tier"], first["late_by_seconds"]) == (
        "Swift Express",
        "next_day",
        str(25 * 3600),
    )
    assert first["judged_by"].endswith("12:00:00+08:00")
    assert (rows[1]["reached_at"], rows[3]["late_by_seconds"]) == ("", "")


@pytest.mark.parametrize("kind", ["csv", "pdf"])
def test_a_file_of_a_chinese_company_has_a_name_browsers_read(
    credited: Lane, merchant_client: Client, merchant: Actor, kind: str
) -> None:
    with scope(Scope.everything()):
        Organisation.objects.filter(pk=merchant.organisation_id).update(slug="lotus-莲香")
    disposition = merchant_client.get(f"{URL}{kind}/")["Content-Disposition"]
    assert disposition == f"attachment; filename*=utf-8''statement-lotus-%E8%8E%B2%E9%A6%99-{TEXT}.{kind}"


def test_csv_continues_beyond_one_batch(
    lane: Lane, merchant_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("slas.portal.statement_files.BATCH", 2)
    with scope(Scope.everything()):
        for _ in range(5):
            send(lane)
        work()
    assert [row["balance"] for row in rows_of(merchant_client)] == [f"{n}.00" for n in (2, 4, 6, 8, 10)]


def test_names_are_not_read_as_formulas(credited: Lane, merchant_client: Client) -> None:
    with scope(Scope.everything()):
        Organisation.objects.filter(pk=credited.courier.pk).update(name="=1+1")
    assert rows_of(merchant_client)[0]["counterparty_name"] == "'=1+1"


def test_the_paper_has_every_line_and_the_total(credited: Lane, courier_client: Client) -> None:
    with scope(Scope.everything()):
        Organisation.objects.filter(pk=credited.merchant.pk).update(name="莲香茶业 Lotus Tea")
    paper = pdf_of(courier_client)
    words = "\n".join(page.extract_text() for page in paper.pages)
    assert words.count("莲香茶业") == 6
    for said in ("Credit statement", TEXT, "Swift Express", "Total", "205.00", "198.00", "Page 1 of 2"):
        assert said in words
    assert words.count("CA1") == 5


def test_a_long_statement_has_numbered_pages(lane: Lane, merchant_client: Client) -> None:
    with scope(Scope.everything()):
        for _ in range(90):
            send(lane)
        work()
    paper = pdf_of(merchant_client)
    total = len(paper.pages)
    assert total > 3
    for number, page in enumerate(paper.pages, 1):
        assert f"Page {number} of {total}" in page.extract_text()
    assert sum(page.extract_text().count("CA1") for page in paper.pages) == 90
    assert "180.00" in paper.pages[-1].extract_text()


def test_the_same_statement_is_the_same_file(
    credited: Lane, merchant_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A month that is not closed bears the time of the download.
    now = timezone.now()
    monkeypatch.setattr("slas.portal.statement_files.timezone.now", lambda: now)
    assert merchant_client.get(f"{URL}pdf/").content == merchant_client.get(f"{URL}pdf/").content


def test_too_long_pdf_is_refused(
    credited: Lane, merchant_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("slas.portal.statements.MOST_ON_PAPER", 4)
    response = merchant_client.get(f"{URL}pdf/")
    assert response.status_code == 409
    assert "download it as CSV" in text_of(response)
    assert f"{URL}pdf/" not in merchant_client.get(URL).content.decode()


def test_services_have_the_names_of_the_readers_language(credited: Lane, merchant_client: Client) -> None:
    for language, name in (("zh-hans", "次日达"), ("en", "Next day")):
        response = merchant_client.get(f"{URL}pdf/", headers={"accept-language": language})
        words = "".join(page.extract_text() for page in PdfReader(io.BytesIO(response.content)).pages)
        assert words.count(name) == 6


def test_both_sides_read_the_same_total(
    credited: Lane, rival_merchant: Organisation, merchant_client: Client, courier_client: Client
) -> None:
    with scope(Scope.everything()):
        other = lane_of(rival_merchant, credited)
        send(other)
        work(NOON + HOUR)
    assert merchant_client.get(URL).context["sums"].total == "205.00"
    courier = courier_client.get(URL).context["summary"]
    assert courier.sums.total == "207.00"
    assert [(part.name, part.total) for part in courier.counterparties] == [
        ("Lotus Tea", "205.00"),
        ("Bamboo Books", "2.00"),
    ]


def lane_of(merchant: Organisation, like: Lane) -> Lane:
    return Lane(merchant, like.courier, like.tier, like.origin, like.destination)


def test_final_statement_never_changes(credited: Lane, merchant_client: Client, system: Actor) -> None:
    now = start_of(next_month(MONTH)) + HOUR
    with scope(Scope.everything()):
        close_month(actor=system, month=MONTH, now=now)
    before = rows_of(merchant_client), merchant_client.get(f"{URL}pdf/").content
    with scope(Scope.everything()):
        parcel = ledger_parcel()
        deliver(parcel, NOON - 2 * HOUR, now=now + DAY)
        work(now + DAY + timedelta(minutes=1))
    assert (rows_of(merchant_client), merchant_client.get(f"{URL}pdf/").content) == before
    later = rows_of(merchant_client, f"/statements/{spell(next_month(MONTH))}/csv/")
    assert [(row["amount"], row["cause"]) for row in later] == [("-5.00", "withdrawn")]


def ledger_parcel() -> int:
    """The parcel that was late."""
    return CreditEntry.objects.get(cause="late").parcel_id


def test_every_column_of_the_csv_is_documented() -> None:
    text = (settings.BASE_DIR / "docs" / "credits.md").read_text(encoding="utf-8")
    documented = re.findall(r"^\| `([a-z_]+)` \|", text[text.index("Columns of the CSV") :], re.MULTILINE)
    assert documented == list(COLUMNS)
