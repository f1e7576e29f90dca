"""Queries written once return what they would return when written anew."""

from typing import Any

import pytest
from django.db import connection
from django.db.models import F
from django.test.utils import CaptureQueriesContext

from alliance.database.written_once import WrittenOnce
from alliance.models import Member, Organisation, User
from alliance.tenancy import Scope, scope

pytestmark = pytest.mark.django_db


def _of(user_id: int) -> Any:
    return Member.objects.filter(user_id=user_id).select_related("organisation").order_by("pk")


def test_rows_are_objects_with_their_related_ones(
    merchant_user: User, courier_user: User, merchant_organisation: Organisation
) -> None:
    query = WrittenOnce(_of)
    with scope(Scope.everything()), CaptureQueriesContext(connection) as statements:
        [mine] = query.rows(merchant_user.pk)
        [theirs] = query.rows(courier_user.pk)
        assert (mine.organisation, mine.role) == (merchant_organisation, "owner")
        assert theirs.user_id == courier_user.pk
        assert query.rows(0) == []
    assert len([each for each in statements if "alliance_member" in each["sql"]]) == 3


def test_the_text_is_built_once(merchant_user: User) -> None:
    built = []

    def build(user_id: int) -> Any:
        built.append(user_id)
        return _of(user_id)

    query = WrittenOnce(build)
    with scope(Scope.everything()):
        assert [len(query.rows(merchant_user.pk)) for _again in range(3)] == [1, 1, 1]
        assert [query.count(pk) for pk in (merchant_user.pk, 0)] == [1, 0]
    assert len(built) == 1


def test_an_id_that_is_no_parameter_is_refused() -> None:
    query = WrittenOnce(lambda user_id: Member.objects.annotate(twice=F("pk")))
    with pytest.raises(ValueError, match="no parameter"):
        query.rows(1)
