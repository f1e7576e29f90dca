"""Every column with free text is classified: whether it has personal data, and how long it is kept."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from django.apps import apps
from django.contrib.sessions.models import Session
from django.core.exceptions import ImproperlyConfigured
from django.db import models
from django.utils import timezone

from alliance import events, tasks
from alliance.models import Event
from alliance.personal_data import COLUMNS, Holds, register_columns
from alliance.tenancy import Scope, scope

DOCS = Path(__file__).parents[2] / "docs" / "retention.md"
TEXT = (
    models.CharField,
    models.TextField,
    models.JSONField,
    models.FileField,
    models.GenericIPAddressField,
    models.BinaryField,
)


def columns_of_text() -> Iterator[str]:
    for model in apps.get_models():
        for column in model._meta.concrete_fields:
            inner = getattr(column, "base_field", column)
            if isinstance(inner, TEXT) and not column.choices and not inner.choices:
                yield f"{model._meta.label}.{column.name}"


def test_every_column_of_text_is_judged_by_its_app() -> None:
    columns = list(columns_of_text())
    assert len(columns) > 100
    assert sorted(set(columns) - set(COLUMNS)) == []
    assert sorted(set(COLUMNS) - set(columns)) == []


def test_a_column_is_judged_once() -> None:
    with pytest.raises(ImproperlyConfigured, match=r"column of this name already: alliance\.User\.email"):
        register_columns({Holds.NOTHING: "alliance.User.email"})


def test_docs_list_the_columns_with_personal_data() -> None:
    text = DOCS.read_text()
    about = [column for column, holds in COLUMNS.items() if holds != Holds.NOTHING]
    assert [column for column in about if f"`{column}`" not in text] == []


@pytest.mark.django_db
def test_old_events_go_and_young_ones_stay(settings: object) -> None:
    now = timezone.now()
    settings.EVENTS_KEPT_DAYS = 30  # type: ignore[attr-defined]
    with scope(Scope.everything()):
        # Not in the order of their ids, as where several nodes draw them.
        for days in (0, 40, 29, 31):
            events.record(
                [events.NewEvent(events.Topic.PARCEL_BOOKED, payload={"days": days})],
                at=now - timedelta(days=days),
            )
    assert tasks.forget_old_events() == 2
    assert tasks.forget_old_events() == 0
    with scope(Scope.everything()):
        assert [event.payload["days"] for event in Event.objects.order_by("id")] == [0, 29]


@pytest.mark.django_db
def test_many_old_events_go_slice_by_slice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "SLICE", 2)
    with scope(Scope.everything()):
        # Those of one time go together.
        now = timezone.now()
        for days in (401, 402, 402, 402, 403):
            at = now - timedelta(days=days)
            events.record([events.NewEvent(events.Topic.PARCEL_BOOKED)], at=at)
        events.record([events.NewEvent(events.Topic.PARCEL_BOOKED)])
    assert tasks.forget_old_events() == 5


@pytest.mark.django_db
def test_ended_sessions_are_forgotten() -> None:
    now = timezone.now()
    for days in (-1, 1):
        Session.objects.create(session_key=f"k{days}", expire_date=now + timedelta(days=days))
    assert tasks.forget_visits() == 1
    assert Session.objects.get().session_key == "k1"
