"""A merchant's address book: saving, finding, choosing, removing and erasing recipients."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from alliance.errors import Conflict, InvalidInput, NotFound, NotPermitted
from alliance.models import AuditEntry, City, Organisation
from alliance.tenancy import Actor, Scope, scope
from parcels.models import SavedRecipient
from parcels.recipients import rules
from parcels.recipients.queries import Shown, shown, suggestions
from parcels.recipients.rules import Entry
from parcels.recipients.services import saving
from parcels.recipients.services.retention import forget_saved, forget_unused
from tests.access.trade import owner
from tests.parcels.recipients.conftest import Save


@pytest.mark.parametrize("phone", ["13800001101", "+86 138-0000-1101", "（138）0000 1101"])
def test_one_recipient_is_saved_once_however_the_phone_is_written(
    merchant: Actor, saved: SavedRecipient, chengdu: City, phone: str
) -> None:
    entry = Entry.written(name=" 张小明", phone=phone, city=chengdu, address=saved.address)
    with scope(Scope.of(merchant)):
        again = saving.save_recipient(actor=merchant, entry=entry, at=timezone.now())
        assert (again.is_new, again.recipient.pk) == (False, saved.pk)
        assert SavedRecipient.objects.count() == 1


def test_what_is_wrong_is_said_of_each_field(merchant: Actor, chengdu: City) -> None:
    entry = Entry.written(name="!", phone="12", city=chengdu, address="", remark="x" * 201)
    with scope(Scope.of(merchant)), pytest.raises(InvalidInput) as refusal:
        saving.save_recipient(actor=merchant, entry=entry, at=timezone.now())
    found = [(error.pointer, error.code) for error in refusal.value.errors]
    assert found == [
        ("/name", "no_letters"),
        ("/phone", "invalid"),
        ("/address", "required"),
        ("/remark", "max_length"),
    ]


def test_a_full_address_book_says_so_and_still_knows_its_recipients(
    merchant: Actor, saved: SavedRecipient, save: Save, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(saving, "MOST_SAVED", 1)
    assert save().pk == saved.pk
    with pytest.raises(Conflict, match="50,000") as refusal:
        save(name="李雷")
    assert refusal.value.reason == "address_book_full"


@pytest.mark.parametrize(
    ("text", "is_found"),
    [
        ("小明", True),
        ("1101", True),
        ("138 0000", True),
        ("+86 138 0000 1101", True),
        ("13800001102", False),
        ("110", False),
        ("%", False),
        ("王", False),
        ("  ", True),
        ("\0", True),
    ],
)
def test_a_search_finds_a_part_of_the_name_or_of_the_phone(
    merchant: Actor, saved: SavedRecipient, text: str, is_found: bool
) -> None:
    with scope(Scope.of(merchant)):
        found = SavedRecipient.objects.visible_to(merchant).called(text)
        assert [row.pk for row in found] == ([saved.pk] if is_found else [])


def test_suggestions_are_of_the_city_and_masked(
    merchant: Actor, saved: SavedRecipient, save: Save, chengdu: City, hangzhou: City
) -> None:
    elsewhere = save(city=hangzhou)
    with scope(Scope.of(merchant)):
        [found] = suggestions(actor=merchant, text="小明", city=chengdu)
        assert found.pk == saved.pk != elsewhere.pk
        texts = shown(found)
    assert texts == Shown("张**", "138 **** **01", "人民南路四段***号***室", "")
    assert "1203" not in texts.address


def test_choosing_shows_in_full_is_audited_without_the_name_and_counts_as_use(
    merchant: Actor, saved: SavedRecipient
) -> None:
    later = timezone.now() + timedelta(days=40)
    with scope(Scope.of(merchant)):
        chosen = saving.choose_recipient(actor=merchant, recipient_id=saved.pk, at=later)
        assert chosen.phone == "138 0000 1101"
        entry = AuditEntry.objects.get(verb="recipient.unmasked")
        assert (entry.object_id, entry.detail) == (str(saved.pk), {"count": 1, "ids": [saved.pk]})
        saved.refresh_from_db()
    assert saved.last_used_at == later


def test_the_address_book_of_another_merchant_is_not_there(
    saved: SavedRecipient, rival_merchant: Organisation, courier: Actor, chengdu: City
) -> None:
    rival = owner(rival_merchant)
    with scope(Scope.of(rival)):
        assert not SavedRecipient.objects.exists()
        with pytest.raises(NotFound):
            saving.choose_recipient(actor=rival, recipient_id=saved.pk, at=timezone.now())
        with pytest.raises(NotFound):
            saving.remove_recipient(actor=rival, recipient_id=saved.pk)
    with scope(Scope.of(courier)), pytest.raises(NotPermitted):
        saving.remove_recipient(actor=courier, recipient_id=saved.pk)


def test_changing_into_another_recipient_of_the_book_is_refused(
    merchant: Actor, saved: SavedRecipient, save: Save, chengdu: City
) -> None:
    other = save(name="李雷")
    entry = Entry.written(name="李雷", phone=saved.phone, city=chengdu, address=saved.address)
    with scope(Scope.of(merchant)), pytest.raises(InvalidInput) as refusal:
        saving.change_recipient(actor=merchant, recipient_id=saved.pk, entry=entry, at=timezone.now())
    assert [error.code for error in refusal.value.errors] == ["taken"]
    entry = Entry.written(name="李雷", phone=saved.phone, city=chengdu, address="红星路 1 号")
    with scope(Scope.of(merchant)):
        changed = saving.change_recipient(
            actor=merchant, recipient_id=other.pk, entry=entry, at=timezone.now()
        )
    assert changed.digest == entry.digest


def test_who_was_not_used_for_a_year_is_deleted_by_the_task(
    merchant: Actor, saved: SavedRecipient, save: Save
) -> None:
    young = save(name="李雷")
    with scope(Scope.everything()):
        SavedRecipient.objects.filter(pk=saved.pk).update(last_used_at=timezone.now() - timedelta(days=366))
    assert forget_unused(now=timezone.now()) == 1
    assert forget_unused(now=timezone.now()) == 0
    with scope(Scope.of(merchant)):
        assert [row.pk for row in SavedRecipient.objects.all()] == [young.pk]


def test_who_is_erased_on_request_leaves_the_address_book(
    merchant: Actor, saved: SavedRecipient, save: Save
) -> None:
    other = save(name="李雷", phone="138 0000 1102")
    with scope(Scope.everything()):
        assert forget_saved(merchant_id=merchant.tenant_id, phone="0571-85011104 / +8613800001101") == 1
        assert forget_saved(merchant_id=merchant.tenant_id, phone="") == 0
        assert [row.pk for row in SavedRecipient.objects.all()] == [other.pk]


@pytest.mark.django_db(transaction=True)
def test_many_that_save_the_same_at_once_save_it_once(merchant: Actor, chengdu: City) -> None:
    entry = Entry.written(name="张小明", phone="13800001101", city=chengdu, address="人民南路四段12号")

    def add(_number: int) -> bool:
        try:
            with scope(Scope.of(merchant)):
                return saving.save_recipient(actor=merchant, entry=entry, at=timezone.now()).is_new
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(add, range(4))) == [False, False, False, True]


def test_digits_of_phones_are_compared_without_the_country() -> None:
    assert rules.digits_of("+86 13800001101 / 0571-85011104 ext. 12") == "13800001101 057185011104"
    assert rules.digits_sought("8613800001101") == "13800001101"
    assert rules.digits_sought("王 1101") == ""
    for written in (
        "13800001101", "+86 138 0000 1101", "0086-138-0000-1101", "（+86）138-0000-1101",
        "１３８００００１１０１",
        "138.0000.1101", "8613800001101", "138 0000 1101 转 12",
    ):  # fmt: skip
        assert (rules.digits_of(written), rules.digits_sought(written)) == ("13800001101", "13800001101")
    for written in ("0571-85011104", "+86 571 8501 1104", "(0571)8501 1104", "0086 571 85011104"):
        assert rules.digits_of(written) == "057185011104"
    assert rules.digits_of("+86 400 820 8820") == rules.digits_of("400-820-8820") == "4008208820"
    assert rules.digits_of("001 415 555 2671") == rules.digits_of("+1 415 555 2671") == "14155552671"


def test_erasing_one_leaves_others_whose_number_has_its_digits(merchant: Actor, save: Save) -> None:
    for number, phone in enumerate(("0571-8501110", "0571-85011104", "13800001101/0571-8501110")):
        save(name=f"R{number}", phone=phone)
    with scope(Scope.everything()):
        assert forget_saved(merchant_id=merchant.tenant_id, phone="(0571) 850 1110") == 2
        assert list(SavedRecipient.objects.values_list("name", flat=True)) == ["R1"]
