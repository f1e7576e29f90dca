"""An address book with one recipient."""

from collections.abc import Callable
from typing import Any

import pytest
from django.utils import timezone

from alliance.models import City
from alliance.tenancy import Actor, Scope, scope
from parcels.models import SavedRecipient
from parcels.recipients.rules import Entry
from parcels.recipients.services.saving import save_recipient

Save = Callable[..., SavedRecipient]


@pytest.fixture
def save(merchant: Actor, chengdu: City) -> Save:
    def add(actor: Actor = merchant, **values: Any) -> SavedRecipient:
        texts = {
            "name": "张小明",
            "phone": "138 0000 1101",
            "address": "人民南路四段12号1203室",
            "city": chengdu,
        }
        with scope(Scope.of(actor)):
            entry = Entry.written(**{**texts, **values})
            return save_recipient(actor=actor, entry=entry, at=timezone.now()).recipient

    return add


@pytest.fixture
def saved(save: Save) -> SavedRecipient:
    return save()
