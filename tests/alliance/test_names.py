"""Names found by any part: what is found, in which scope, and that an index of parts is what finds it."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import transaction

from alliance.members.acquaintances import acquaint
from alliance.models import Member, Organisation, User
from alliance.names import organisations_named, users_named
from alliance.tenancy import Scope, raw_rows, scope
from tests import factories

pytestmark = pytest.mark.django_db

# Older than the rows that are looked through first; of Olden there are more than an index is asked for.
RARE = (
    "杭州茶业有限公司", "Bright Tea", "100% Silk", "Under_score", "Back\\slash", "L'Étoile", "Åre Möbel",
    "龘", "A-B & Co", "「和」",
)  # fmt: skip
MANY = """
INSERT INTO alliance_organisation (kind, status, name, slug, created_at)
SELECT 'merchant', 'active', '{name} ' || n, '{name}-' || n, now() FROM generate_series(1, {count}) AS n
"""
TERMS = (
    "茶业", "茶", "杭州茶", "有限", "公司",
    "bright", "BRIGHT T", "right t", "ea", "100%", "0%", "_", "er_s", "\\",
    "k\\s", "l'é", "ÉTOILE", "å", "möbel", "龘", "a-b", "&", "b & c", "「和」", "和", "older", "en 1",
    "filler", "il", "r 51", "xyz", "qx", "x", "%", "杭业",
)  # fmt: skip


@pytest.fixture(scope="module")
def names(django_db_setup: None, django_db_blocker: Any) -> Iterator[dict[int, str]]:
    """Return the name of each organisation by its id."""
    with django_db_blocker.unblock(), transaction.atomic():
        with scope(Scope.everything()):
            for name in RARE:
                factories.merchant_organisation(name)
            raw_rows(MANY.format(name="Olden", count=20_100))
            raw_rows(MANY.format(name="Filler", count=5_100))
            found = dict(Organisation.objects.values_list("pk", "name"))
        yield found
        transaction.set_rollback(True)


def scans_of(index: str) -> int:
    [(scans,)] = raw_rows("SELECT pg_stat_get_xact_numscans(%s::regclass)", [index])
    return int(scans)


def having(names: dict[int, str], term: str) -> list[int]:
    return sorted((pk for pk, name in names.items() if term.lower() in name.lower()), reverse=True)


@pytest.mark.parametrize("term", TERMS)
def test_any_part_of_a_name_is_found_newest_first(names: dict[int, str], term: str) -> None:
    expected = having(names, term)
    with scope(Scope.everything()):
        assert organisations_named(term, most=60) == expected[:60]
        assert organisations_named(term, most=60, upwards=True) == expected[::-1][:60]
        beyond = expected[len(expected) // 2] if expected else 5
        assert (
            organisations_named(term, beyond=beyond, most=60) == [pk for pk in expected if pk < beyond][:60]
        )


@pytest.mark.parametrize(
    ("term", "index"),
    [
        ("bright", "organisation_by_part_of_name"),
        ("杭州茶", "organisation_by_part_of_name"),
        ("茶业", "organisation_by_piece_of_name"),
        ("龘", "organisation_by_piece_of_name"),
        ("qx", "organisation_by_piece_of_name"),
    ],
)
def test_what_few_are_called_is_found_by_an_index(names: dict[int, str], term: str, index: str) -> None:
    indexes = ("organisation_by_part_of_name", "organisation_by_piece_of_name", "alliance_organisation")
    before = [scans_of(name) for name in indexes]
    with scope(Scope.everything()):
        organisations_named(term)
    # The index alone, and no scan of the whole table.
    assert [scans_of(name) for name in indexes] == [
        scans + (name == index) for name, scans in zip(indexes, before, strict=True)
    ]


def test_what_many_are_called_asks_no_index_for_all_of_them(names: dict[int, str]) -> None:
    indexes = ("organisation_by_part_of_name", "organisation_by_piece_of_name")
    before = [scans_of(index) for index in indexes]
    with scope(Scope.everything()):
        assert len(organisations_named("filler")) == len(organisations_named("il")) == 100
    assert [scans_of(index) for index in indexes] == before


def test_short_name_is_found_whole(names: dict[int, str]) -> None:
    with scope(Scope.everything()):
        [(pk,)] = Organisation.objects.filter(slug="Olden-77").values_list("pk")
        assert pk in organisations_named("Olden-77")
        assert organisations_named("  ") == organisations_named("\0") == []


def test_kinds_are_told_apart(names: dict[int, str]) -> None:
    courier = factories.courier_organisation("Olden Express").pk
    with scope(Scope.everything()):
        assert organisations_named("olden", kind="courier") == [courier]
        assert courier not in organisations_named("olden express", kind="merchant")


# --- who finds whom ---


def test_a_scope_finds_what_its_policy_shows(names: dict[int, str]) -> None:
    carrier, other = (factories.courier_organisation(f"Olden carrier {number}").pk for number in "12")
    applicant = factories.courier_organisation("Olden applicant", "applicant").pk
    [merchant, partner, *_strangers] = having(names, "olden")[-6_000::1_000]
    user = factories.member_user("reader@olden.example", Organisation(pk=merchant, kind="merchant"))
    with scope(Scope.everything()):
        acquaint([(partner, carrier), (merchant, carrier), (partner, applicant)])
        assert Member.objects.filter(user=user).exists()
    finds = {
        Scope.courier(carrier): {merchant, partner},
        Scope.courier(other): set(),
        Scope.merchant(merchant): {carrier, other},
        Scope.merchant(partner): {carrier, other, applicant},
        Scope.user(user.pk): {merchant},
    }
    for reader, expected in finds.items():
        with scope(reader):
            visible = Organisation.objects.filter(name__icontains="olden").values_list("pk", flat=True)
            own = {int(reader.value.split(":")[1])} if "user" not in reader.value else set()
            assert set(organisations_named("olden")) == expected == set(visible) - own, reader
            assert set(organisations_named("lde", beyond=merchant + 1)) == {
                pk for pk in expected if pk <= merchant
            }
    for reader in (Scope.nothing(), Scope.key("0123456789"), Scope.parcel(7), Scope("merchant:"), Scope("x")):
        with scope(reader):
            assert organisations_named("olden") == [], reader


def test_a_courier_of_many_merchants_finds_few_and_many(names: dict[int, str]) -> None:
    courier = factories.courier_organisation("Big Express").pk
    known = [pk for pk in names if pk % 3 or names[pk] in RARE]
    with scope(Scope.everything()):
        raw_rows(
            "INSERT INTO alliance_acquaintance (merchant_id, courier_id) SELECT unnest(%s), %s",
            [known, courier],
        )
    with scope(Scope.courier(courier)):
        for term in ("茶业", "bright", "olden 1", "filler", "en"):
            expected = [pk for pk in having(names, term) if pk in set(known)]
            assert organisations_named(term, most=60) == expected[:60], term


# --- users ---


def test_users_are_found_by_name_and_address_by_ops_only() -> None:
    users = [
        User(email="tea@jade.example", name="王小茶"), User(email="o_x@jade.example", name="Olaf Xu"),
    ]  # fmt: skip
    User.objects.bulk_create(users)
    tea, olaf = (User.objects.get(email=user.email).pk for user in users)
    User.objects.bulk_create(User(email=f"n{number}@filler.example") for number in range(5_050))
    finds = {
        "小茶": [tea], "茶": [tea], "jade": [olaf, tea], "@JADE.ex": [olaf, tea],
        "o_x@jade": [olaf], "u": [olaf], "olaf": [olaf], "af x": [olaf], "nobody": [],
    }  # fmt: skip
    for term, expected in finds.items():
        with scope(Scope.everything()):
            assert users_named(term) == expected, term
        for reader in (Scope.nothing(), Scope.user(tea), Scope.merchant(1), Scope.courier(1)):
            with scope(reader):
                assert users_named(term) == [], reader
    before = scans_of("user_by_part_of_name"), scans_of("user_by_piece_of_name")
    with scope(Scope.everything()):
        assert (users_named("小茶"), users_named("olaf")) == ([tea], [olaf])
        assert len(users_named("filler")) == 100
    assert scans_of("user_by_part_of_name") == before[0] + 1
    assert scans_of("user_by_piece_of_name") == before[1] + 1


def test_users_are_found_by_the_beginning_of_an_address_if_there_is_one() -> None:
    users = [User(email=f"shop-{number:05}@tea.example", name="Shop 0") for number in range(3_000)]
    users += [User(email="my-shop-00001@tea.example"), User(email="lily%x.y@tea.example", name="Li")]
    User.objects.bulk_create(users)
    pks = dict(User.objects.values_list("email", "pk"))
    User.objects.bulk_create(User(email=f"n{number}@filler.example") for number in range(2_100))
    begins = [pks[f"shop-0000{number}@tea.example"] for number in range(9, -1, -1)]
    finds = {
        "shop-0000": begins, "SHOP-0000": begins, "shop-00001@tea.example": [begins[-2]],
        "y-shop-0000": [pks["my-shop-00001@tea.example"]], "lily%x.": [pks["lily%x.y@tea.example"]],
        "lil_%x.": [], "shop-9": [],
    }  # fmt: skip
    before = scans_of("user_by_part_of_name")
    with scope(Scope.everything()):
        for term, expected in finds.items():
            assert users_named(term) == expected, term
        assert users_named("shop-0000", beyond=begins[4], most=2) == begins[5:7]
        assert users_named("shop-0000", beyond=begins[4], upwards=True, most=2) == [begins[3], begins[2]]
        # A name with a blank is no address.
        assert len(users_named("shop 0", most=3_000)) == 3_000
    assert scans_of("user_by_part_of_name") > before
