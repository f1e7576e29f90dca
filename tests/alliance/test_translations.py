"""The Chinese catalogue is whole, keeps every placeholder, and leaves no English sentence on a page."""

import re
from datetime import date
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from babel.messages.catalog import Catalog, Message
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from django.conf import LazySettings
from django.test import Client
from django.urls import reverse
from django.utils import translation

from alliance.admin_words import detail_text
from alliance.cities import province_text
from alliance.events import Topic
from alliance.models import City, Organisation
from alliance.periodic_tasks import SCHEDULE
from alliance.wording import actor_text, code_text, money_text, object_text, server_zone_text
from slas.models import Closure
from tests.parcels.helpers.bookings import tomorrow
from tests.parcels.helpers.parcel_views import scan, some_parcels
from tests.slas.helpers.offers import offer

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "locale" / "zh_Hans" / "LC_MESSAGES" / "django.po"
# %(named)s, %s, {braced}, mark-up: what a translation must hand on as it is.
KEPT = re.compile(r"%\(\w+\)[a-z]|%[a-z]|\{\w*\}|</?\w+>")
FULL_WIDTH = re.compile(r"[\u4e00-\u9fff][,;:?!]|[,;:?!][\u4e00-\u9fff]")
# Three words in a row are no name, code or unit any more.
SENTENCE = re.compile(r"\b[A-Za-z']{2,}(?:,? [A-Za-z']{2,}){2,}")
PUBLIC_PAGES = ["home", "account_login", "account_signup", "account_reset_password", "parcels:track_search"]
SHARED_PAGES = [
    "parcels:dashboard_view",
    "parcels:parcel_list",
    "parcels:label_list",
    "parcels:manifest_list",
    "parcels:pickup_list",
    "slas:rate_list",
    "slas:breach_list",
    "parcels:freight_list",
]
MERCHANT_PAGES = [
    "parcels:quote_create", "parcels:address_add", "slas:rule_list", "slas:rule_create",
    "parcels:dry_run_list", "parcels:manifest_create", "parcels:pickup_create",
    "parcels:recipient_list",
    "parcels:recipient_add",
    "parcels:recipient_import",
    "parcels:shop_list", "parcels:shop_connect",
    "member_list", "api_key_list", "api_key_create", "usersessions_list",
]  # fmt: skip
COURIER_PAGES = [
    "slas:offer_list",
    "slas:offer_create",
    "parcels:scan_upload",
    "parcels:pickup_round",
    "couriers:facility_list",
]


@pytest.fixture(scope="module")
def catalogue() -> Catalog:
    with SOURCE.open("rb") as stream:
        return read_po(stream, abort_invalid=True)


@pytest.fixture
def chinese(catalogue: Catalog, tmp_path: Path, settings: LazySettings) -> None:
    """Compile the catalogue anew: what lies in build/ may be older than its source."""
    folder = tmp_path / "zh_Hans" / "LC_MESSAGES"
    folder.mkdir(parents=True)
    with (folder / "django.mo").open("wb") as stream:
        write_mo(stream, catalogue)
    settings.LOCALE_PATHS = [tmp_path]


def _texts(message: Message) -> list[str]:
    return [message.string] if isinstance(message.string, str) else list(message.string)


def _messages(catalogue: Catalog) -> list[Message]:
    return [message for message in catalogue if message.id]


def _source(message: Message) -> str:
    # Chinese has one form, that of the plural: the singular may leave its number out.
    return message.id if isinstance(message.id, str) else message.id[1]


def _ends_a_sentence(text: str) -> bool:
    return text.endswith(".") and not text.endswith("...")


def _kept(text: str) -> list[str]:
    return sorted(KEPT.findall(text.replace("%%", "")))


# --- the catalogue ---------------------------------------------------------------------------


def test_every_text_is_translated_and_none_is_fuzzy(catalogue: Catalog) -> None:
    messages = _messages(catalogue)
    assert len(messages) > 1000
    assert [message.id for message in messages if message.fuzzy or not all(_texts(message))] == []
    assert {len(_texts(message)) for message in messages} == {catalogue.num_plurals} == {1}


def test_placeholders_survive(catalogue: Catalog) -> None:
    assert [(message.id, errors) for message, errors in catalogue.check()] == []
    lost = [
        message.id
        for message in _messages(catalogue)
        for text in _texts(message)
        if _kept(_source(message)) != _kept(text)
    ]
    assert lost == []


def test_punctuation_is_chinese(catalogue: Catalog) -> None:
    texts = [text for message in _messages(catalogue) for text in _texts(message)]
    assert [text for text in texts if FULL_WIDTH.search(text)] == []
    unended_texts = [
        message.id
        for message in _messages(catalogue)
        if _ends_a_sentence(_source(message)) != _texts(message)[0].endswith("。")
    ]
    assert unended_texts == []


def test_codes_that_ops_read_have_names(catalogue: Catalog) -> None:
    codes = [*SCHEDULE, *Topic]
    assert [code for code in codes if catalogue.get(code) is None] == []


@pytest.mark.usefixtures("chinese")
def test_code_is_named_in_the_readers_language() -> None:
    with translation.override("zh-hans"):
        assert code_text("parcel.unmasked") == "查看收件人信息"
        assert money_text("1234.5") == "¥1,234.5"
    assert code_text("parcel.unmasked") == "Parcel unmasked"
    assert code_text("sweep-overdue") == "Sweep overdue"
    assert money_text("1234.50") == "CNY 1,234.50"


def test_what_the_audit_says_is_in_the_readers_language(chinese: None) -> None:
    detail = {
        "number": 2, "tier": "next_day", "valid_from": "2026-12-10T00:00:00+08:00", "first": "2026-11-01",
        "role": {"before": "agent", "after": ""}, "name": "台风 Kate", "content": "rates",
    }  # fmt: skip
    parcel = "1443828754023905222:delivery"
    with translation.override("zh-hans"):
        assert detail_text(detail).startswith("编号：2；时效产品：次日达；生效时间：2026年12月10日")
        assert detail_text(detail).endswith("角色：操作员 → –；名称：台风 Kate；内容：准点率统计")
        assert object_text("commitment", parcel).endswith(" 派送")
        assert object_text("closure", "12") == "停运 12"
        assert (actor_text("booking file 7"), actor_text("Li Na")) == ("下单文件 7", "Li Na")
        assert actor_text("recipient, tracking page") == "收件人（查件页面）"
        assert str(Closure(date=date(2026, 10, 1), name="National Day")).endswith("国庆节")
        assert server_zone_text() == "北京时间"
    with translation.override("en"):
        assert detail_text({"number": 2, "tier": "next_day"}) == "Version: 2; Tier: Next day"
        assert object_text("commitment", parcel).endswith(" Delivery")
        assert (actor_text("booking file 7"), server_zone_text()) == ("booking file 7", "Beijing time")


@pytest.mark.django_db
def test_province_is_named_in_the_readers_language(hangzhou: City) -> None:
    assert province_text(hangzhou.country, hangzhou.province_en) == "Zhejiang"
    with translation.override("zh-hans"):
        assert province_text(hangzhou.country, hangzhou.province_en) == hangzhou.province_zh
        assert province_text("CN", "Nowhere") == "Nowhere"
        assert province_text("CN", "") == ""


# --- pages -----------------------------------------------------------------------------------


def _in_chinese(client: Client, address: str, **query: Any) -> str:
    client.cookies["django_language"] = "zh-hans"
    response = client.get(address, query)
    assert response.status_code == 200
    html: str = response.content.decode()
    assert '<html lang="zh-Hans"' in html
    return html


def _english(html: str) -> list[str]:
    """What is still English in the text of a page, or in what is read out or shown as a hint."""
    hints = re.findall(r'\b(?:title|placeholder|alt|aria-label|data-label|data-bs-title)="([^"]*)"', html)
    body = re.sub(r"<(script|style|code|pre|svg)\b.*?</\1>", " ", html, flags=re.DOTALL)
    text = unescape(" | ".join([re.sub(r"<[^>]+>", " | ", body), *hints]))
    return SENTENCE.findall(re.sub(r"\s+", " ", text))


@pytest.mark.django_db
def test_english_is_noticed(client: Client) -> None:
    assert "Where is my parcel" in _english(client.get("/").content.decode())
    assert _english('<button title="Copy the number">复制</button><p>API 文档</p>') == ["Copy the number"]


@pytest.mark.django_db
@pytest.mark.usefixtures("chinese")
def test_public_pages_are_chinese(client: Client) -> None:
    english = {name: _english(_in_chinese(client, reverse(name))) for name in PUBLIC_PAGES}
    assert english == {name: [] for name in PUBLIC_PAGES}


@pytest.mark.django_db
@pytest.mark.usefixtures("chinese")
def test_browser_that_prefers_chinese_gets_it(client: Client) -> None:
    html = client.get("/", headers={"Accept-Language": "zh-CN,zh;q=0.9,en;q=0.8"}).content.decode()
    assert '<html lang="zh-Hans"' in html
    assert "我的包裹在哪里？" in html


@pytest.mark.django_db
@pytest.mark.usefixtures("chinese")
def test_portal_is_chinese(
    merchant_client: Client,
    courier_client: Client,
    merchant_organisation: Organisation,
    courier_organisation: Organisation,
) -> None:
    [parcel] = some_parcels(merchant_organisation, courier_organisation, hours_ago=40)
    scan(parcel, "picked_up", 1)
    scan(parcel, "attempt_failed", 32, reason="courier_vehicle")
    pages = [(merchant_client, reverse(name)) for name in SHARED_PAGES + MERCHANT_PAGES]
    pages += [(courier_client, reverse(name)) for name in SHARED_PAGES + COURIER_PAGES]
    pages += [(merchant_client, reverse("parcels:parcel_detail", args=[parcel.number]))]
    pages += [(Client(), reverse("parcels:track", args=[parcel.number]))]
    english = {address: _english(_in_chinese(client, address)) for client, address in pages}
    assert {address: sentences for address, sentences in english.items() if sentences} == {}


@pytest.mark.django_db
@pytest.mark.usefixtures("chinese")
def test_offers_are_explained_in_chinese(
    merchant_client: Client, courier_organisation: Organisation, hangzhou: City, chengdu: City
) -> None:
    offer(courier_organisation, hangzhou, chengdu, price_fen=1250)
    question = {"origin": "杭州", "destination": "成都", "weight": "1.5", "tier": "next_day"}
    ready = tomorrow().strftime("%Y-%m-%dT%H:%M")
    html = _in_chinese(merchant_client, reverse("parcels:quote_create"), ready_at=ready, **question)
    assert "截单" in html
    assert "最晚送达" in html
    assert _english(html) == []


@pytest.mark.django_db
@pytest.mark.usefixtures("chinese")
def test_faults_in_a_form_are_named_in_chinese(client: Client) -> None:
    client.cookies["django_language"] = "zh-hans"
    html = client.post(reverse("account_signup"), {"email": "nobody"}).content.decode()
    assert "请检查您填写的内容" in html
    assert _english(html) == []
