"""Ids outside: made of the row's id alone, and read back."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alliance.public_ids import IdKind, InvalidPublicId, pattern, public_id, row_id, row_id_or_none


@given(st.sampled_from(IdKind), st.integers(1, 2**63 - 1))
def test_an_id_is_read_back(kind: IdKind, pk: int) -> None:
    text = public_id(kind, pk)
    assert re.fullmatch(pattern(kind), text)
    assert row_id(kind, text) == pk


def test_ids_never_change() -> None:
    # Programs keep them: if this fails, the constants were touched.
    assert [public_id(IdKind.COURIER, pk) for pk in (1, 2, 3)] == [
        "cou_15zjaybrj6mfs", "cou_9x8hmt98wckdg", "cou_2z1vjr46c4r97",
    ]  # fmt: skip
    assert public_id(IdKind.MERCHANT, 1)[4:] != public_id(IdKind.COURIER, 1)[4:]


@pytest.mark.parametrize(
    "text",
    [
        "", "cou_", "1", "swift-express", "cou_15zjaybrj6mf", "cou_15zjaybrj6mfs0", "cou_15zjaybrj6mfi",
        "COU_15zjaybrj6mfs", "mer_15zjaybrj6mfs", "cou_zzzzzzzzzzzzz", "cou_15zjaybrj6mf\0",
        "cou-15zjaybrj6mfs",
    ],
)  # fmt: skip
def test_what_is_no_id_of_the_kind_is_refused(text: str) -> None:
    with pytest.raises(InvalidPublicId):
        row_id(IdKind.COURIER, text)
    assert row_id_or_none(IdKind.COURIER, text) is None


@pytest.mark.parametrize("value", [None, 7, True, ["cou_15zjaybrj6mfs"]])
def test_what_is_no_text_is_no_id(value: object) -> None:
    assert row_id_or_none(IdKind.COURIER, value) is None
