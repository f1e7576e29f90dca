"""Numbers of manifests: read as people write them, never taken for a tracking number."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alliance.identifiers import InvalidTrackingNumber, parse_tracking_number
from parcels.manifests.rules import (
    InvalidManifestNumber,
    manifest_number,
    new_code,
    parse_manifest_number,
)


@pytest.mark.parametrize("code", [new_code() for _ in range(20)], ids=lambda _code: "")
def test_numbers_are_read_back_and_are_no_tracking_numbers(code: int) -> None:
    number = manifest_number(code)
    spoken = f" {number[:4].lower()}-{number[4:].replace('0', 'o').replace('1', 'l')} "
    assert parse_manifest_number(number) == parse_manifest_number(spoken) == code
    with pytest.raises(InvalidTrackingNumber):
        parse_tracking_number(number)


@given(st.integers(2, 11), st.sampled_from("0123456789ABCDEFGHJKMNPQRSTVWXYZ"))
def test_a_wrong_character_is_noticed(place: int, digit: str) -> None:
    number = manifest_number(new_code())
    wrong = number[:place] + digit + number[place + 1 :]
    if wrong != number:
        with pytest.raises(InvalidManifestNumber):
            parse_manifest_number(wrong)


@pytest.mark.parametrize(
    "text", ["", "MF", "CA180HFPF3JNCPRS", "MF" + "0" * 12, "MFÄ000000000", "MF00000000U00"]
)
def test_other_texts_are_no_numbers(text: str) -> None:
    with pytest.raises(InvalidManifestNumber):
        parse_manifest_number(text)
