"""What is noted of a log-in, also while that cannot be written."""

from typing import Any

import pytest
from django.contrib.auth.signals import user_logged_in
from django.db import OperationalError
from django.utils import timezone, translation

from alliance import figures
from alliance.members.services import log_ins
from alliance.models import User
from alliance.tenancy import Scope, scope

pytestmark = pytest.mark.django_db


def log_in(user: User) -> None:
    log_ins.note_language(user=user)
    log_ins.note_moment(sender=User, user=user)


def test_moment_and_language_are_noted(merchant_user: User) -> None:
    with translation.override("zh-hans"), scope(Scope.user(merchant_user.pk)):
        log_in(merchant_user)
        merchant_user.refresh_from_db()
    assert merchant_user.language == "zh-hans"
    assert merchant_user.last_login is not None
    assert merchant_user.last_login <= timezone.now()


def test_moment_is_noted_by_us_and_not_twice() -> None:
    names = [key[0] for key, *_receiver in user_logged_in.receivers]
    assert names.count("update_last_login") == 1


def test_people_log_in_while_a_worker_of_a_cluster_is_away(
    merchant_user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_given: Any, **_named: Any) -> None:
        raise OperationalError("away")

    monkeypatch.setattr(log_ins, "update_last_login", fail)
    monkeypatch.setattr(User, "save", fail)
    monkeypatch.setattr(figures, "is_distributed", lambda: False)
    with translation.override("zh-hans"), pytest.raises(OperationalError):
        log_in(merchant_user)
    monkeypatch.setattr(figures, "is_distributed", lambda: True)
    with translation.override("en"):
        log_in(merchant_user)
