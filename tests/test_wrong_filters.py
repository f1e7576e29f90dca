"""Every list that is narrowed by words, asked for words nobody knows: refused, in both languages."""

import pytest
from django.test import Client

pytestmark = pytest.mark.django_db

# Who asks, where, by which parameter, with what; the page says it in English and in Chinese.
WRONG_CHOICE = ("is not one of the available choices", "不在可用的选项中")
WRONG_DATE = ("Enter a valid date", "输入一个有效的日期")
# The list of parcels says, too, what is right.
SAYS_CHOICES = ("This is not a valid choice. Choose from", "此项不是合法选项。可选")
SAYS_A_DATE = ("Enter a date, such as", "请填写日期")
UNKNOWN_CITY = ("Unknown city", "没有找到城市")
CASES = [
    ("merchant", "/parcels/", "status", "flying", SAYS_CHOICES),
    ("merchant", "/parcels/", "tier", "rocket", SAYS_CHOICES),
    ("courier", "/parcels/", "late", "rather", SAYS_CHOICES),
    ("courier", "/parcels/", "origin", "Atlantis", UNKNOWN_CITY),
    ("ops", "/parcels/", "destination", "Atlantis", UNKNOWN_CITY),
    ("merchant", "/parcels/", "booked_from", "2026-02-30", SAYS_A_DATE),
    ("merchant", "/parcels/", "booked_to", "never", SAYS_A_DATE),
    ("merchant", "/watch/", "reason", "bored", WRONG_CHOICE),
    ("courier", "/watch/", "tier", "rocket", WRONG_CHOICE),
    ("ops", "/watch/", "chance", "7", WRONG_CHOICE),
    ("merchant", "/breaches/", "state", "odd", WRONG_CHOICE),
    ("courier", "/breaches/", "kind", "odd", WRONG_CHOICE),
    ("ops", "/breaches/", "tier", "rocket", WRONG_CHOICE),
    ("merchant", "/excuses/", "state", "odd", WRONG_CHOICE),
    ("courier", "/excuses/", "reason", "odd", WRONG_CHOICE),
    ("ops", "/excuses/", "period", "never", WRONG_CHOICE),
    ("courier", "/facilities/", "kind", "castle", WRONG_CHOICE),
    ("merchant", "/rates/", "period", "ever", WRONG_CHOICE),
    ("merchant", "/rates/", "kind", "odd", WRONG_CHOICE),
    ("merchant", "/rates/", "figures", "odd", WRONG_CHOICE),
    ("merchant", "/rates/", "from", "never", WRONG_DATE),
    ("courier", "/rates/", "group_by", "planet", ("Cannot group by “planet”", "不能按“planet”分组")),
    ("courier", "/rates/", "origin", "Atlantis", UNKNOWN_CITY),
    ("merchant", "/rates/", "courier", "nobody", ("Unknown courier “nobody”", "没有快递公司“nobody”")),
    ("courier", "/rates/", "tier", "rocket", ("Unknown service “rocket”", "没有时效产品“rocket”")),
]  # fmt: skip


@pytest.fixture
def clients(merchant_client: Client, courier_client: Client, ops_client: Client) -> dict[str, Client]:
    return {"merchant": merchant_client, "courier": courier_client, "ops": ops_client}


@pytest.mark.parametrize(("who", "path", "name", "value", "said"), CASES)
def test_a_word_nobody_knows_is_refused_beside_its_field(
    clients: dict[str, Client], who: str, path: str, name: str, value: str, said: tuple[str, str]
) -> None:
    for language, words in zip(("en", "zh-hans"), said, strict=True):
        response = clients[who].get(path, {name: value}, headers={"Accept-Language": language})
        page = response.content.decode()
        assert response.status_code == 422
        beside = page.split(f'id="id_{name}_error"', 1)[1].split("</div>", 1)[0]
        assert words in beside
        assert "ca-form-errors" in page


LISTS = list(dict.fromkeys((who, path) for who, path, *_case in CASES))


@pytest.mark.parametrize(("who", "path"), LISTS)
def test_what_other_sites_add_to_addresses_is_let_pass(
    clients: dict[str, Client], who: str, path: str
) -> None:
    query = {"utm_source": "newsletter", "gclid": "1"}
    assert clients[who].get(path, query).status_code == 200
