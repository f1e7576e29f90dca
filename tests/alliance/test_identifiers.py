"""A tracking number is its parcel's id: nothing is lost on the way, and no typing mistake gets through."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from stdnum.iso7064 import mod_37_2

from alliance.identifiers import (
    END_OF_IDS,
    EPOCH,
    MAX_ID,
    RANDOM_BITS,
    InvalidTrackingNumber,
    drawing_from,
    history_parcel_id,
    is_allowed,
    moment_of,
    new_parcel_id,
    parcel_id_at,
    parse_tracking_number,
    tracking_number,
)

CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)

any_id = st.integers(0, MAX_ID)
allowed_id = any_id.filter(is_allowed)
# Hypothesis wants its bounds without a zone.
moments = st.datetimes(datetime(2016, 1, 1), datetime(2085, 9, 6), timezones=st.just(UTC))  # noqa: DTZ001


def body_of(parcel_id: int) -> str:
    """The 13 characters the slow and obvious way."""
    digits = ""
    for _ in range(13):
        parcel_id, digit = divmod(parcel_id, 32)
        digits = CROCKFORD[digit] + digits
    return digits


def reason_for(text: str) -> str:
    with pytest.raises(InvalidTrackingNumber) as caught:
        parse_tracking_number(text)
    assert str(caught.value)
    return caught.value.reason


@given(allowed_id)
@example(MAX_ID - 1)
@example(1)
def test_number_round_trips_over_the_whole_range(parcel_id):
    assume(is_allowed(parcel_id))
    number = tracking_number(parcel_id)
    assert len(number) == 16
    assert parse_tracking_number(number) == parcel_id


@given(any_id)
def test_number_and_redraw_rule_agree_with_stdnum(parcel_id):
    body = body_of(parcel_id)
    check = mod_37_2.calc_check_digit(body)
    if check in "ILOU*":
        assert not is_allowed(parcel_id)
        with pytest.raises(ValueError, match="no tracking number"):
            tracking_number(parcel_id)
        for typed in (check, check.replace("I", "1").replace("L", "1").replace("O", "0")):
            assert reason_for(f"CA{body}{typed}") in ("check", "character")
    else:
        assert is_allowed(parcel_id)
        assert tracking_number(parcel_id) == f"CA{body}{check}"


@given(allowed_id)
def test_every_wrong_character_is_caught(parcel_id):
    number = tracking_number(parcel_id)
    for place in range(2, 16):
        for wrong in CROCKFORD:
            if wrong != number[place]:
                typed = number[:place] + wrong + number[place + 1 :]
                assert reason_for(typed) in ("check", "character")
        assert reason_for(number[:place] + "U" + number[place + 1 :]) == "character"


@given(allowed_id)
def test_every_adjacent_swap_is_caught(parcel_id):
    number = tracking_number(parcel_id)
    for place in range(15):
        first, second = number[place], number[place + 1]
        if first != second:
            typed = number[:place] + second + first + number[place + 2 :]
            assert reason_for(typed) in ("check", "character")


@given(allowed_id, st.randoms(use_true_random=False))
def test_number_is_read_however_it_is_written(parcel_id, random):
    number = tracking_number(parcel_id)
    written = ""
    for character in number:
        lookalikes = {"0": "0oO", "1": "1iIlL"}.get(character, character + character.lower())
        written += random.choice(lookalikes) + random.choice(["", "", " ", "-", "  ", "\t", "–", "\u3000"])
    assert parse_tracking_number(f" {written}\n") == parcel_id


@given(allowed_id)
def test_number_is_read_in_full_width_letters(parcel_id):
    wide = "".join(chr(ord(character) + 0xFEE0) for character in tracking_number(parcel_id))
    assert parse_tracking_number(wide) == parcel_id


@given(moments, moments, st.integers(0, 2**RANDOM_BITS - 1), st.integers(0, 2**RANDOM_BITS - 1))
def test_ids_and_numbers_sort_by_time(one, other, some_bits, other_bits):
    earlier, later = sorted((one, other))
    assume(later - earlier >= timedelta(milliseconds=1))
    low = new_parcel_id(earlier, random_bits=some_bits)
    high = new_parcel_id(later, random_bits=other_bits)
    assert low < high
    assert tracking_number(low) < tracking_number(high)


@given(moments)
def test_id_keeps_its_moment_to_the_millisecond(at):
    parcel_id = new_parcel_id(at)
    assert timedelta() <= at - moment_of(parcel_id) < timedelta(milliseconds=1)
    assert parcel_id_at(at) <= parcel_id < parcel_id_at(at) + (1 << RANDOM_BITS)


@given(moments, st.integers(0, 2**RANDOM_BITS - 1))
def test_ids_are_redrawn_until_allowed(at, bits):
    assert is_allowed(new_parcel_id(at))
    parcel_id = new_parcel_id(at, random_bits=bits)
    assert is_allowed(parcel_id)
    assert parcel_id == new_parcel_id(at, random_bits=bits)
    if is_allowed(parcel_id_at(at) | bits):
        assert parcel_id == parcel_id_at(at) | bits


def test_new_id_draws_again_when_the_check_is_ambiguous():
    start = parcel_id_at(NOON)
    refused = next(bits for bits in range(100) if not is_allowed(start | bits))
    fine = next(bits for bits in range(100) if is_allowed(start | bits))
    draws = iter([refused, refused, fine])
    with drawing_from(lambda bits: next(draws)):
        assert new_parcel_id(NOON) == start | fine
    assert not list(draws)


def test_new_ids_of_one_moment_differ():
    assert len({new_parcel_id(NOON) for _ in range(100)}) > 95


@given(moments, st.text(max_size=40), st.integers(0, 5))
def test_history_id_is_the_same_every_time_and_allowed(at, key, attempt):
    parcel_id = history_parcel_id(at, key, attempt=attempt)
    assert is_allowed(parcel_id)
    assert parcel_id_at(at) <= parcel_id < parcel_id_at(at) + (1 << RANDOM_BITS)
    assert history_parcel_id(at, key, attempt=attempt) == parcel_id


def test_history_id_differs_by_key_and_attempt():
    ids = {history_parcel_id(NOON, key, attempt=n) for key in ("olist/1", "olist/2") for n in range(4)}
    assert len(ids) == 8
    with pytest.raises(ValueError, match="counts from 0"):
        history_parcel_id(NOON, "olist/1", attempt=-1)


def test_moment_is_the_same_in_any_zone():
    sao_paulo = timezone(timedelta(hours=-3))
    assert parcel_id_at(NOON.astimezone(sao_paulo)) == parcel_id_at(NOON)


@pytest.mark.parametrize(
    "moment", [EPOCH - timedelta(milliseconds=1), END_OF_IDS, datetime(1970, 1, 1, tzinfo=UTC)]
)
def test_moments_no_id_can_hold_are_refused_with_the_range(moment):
    with pytest.raises(ValueError, match="2016-01-01 and end on 2085-09-06"):
        new_parcel_id(moment)
    with pytest.raises(ValueError, match="2016-01-01 and end on 2085-09-06"):
        history_parcel_id(moment, "olist/1")


def test_moments_at_the_ends_of_the_range_are_held():
    assert parcel_id_at(EPOCH) == 0
    assert moment_of(parcel_id_at(END_OF_IDS - timedelta(milliseconds=1))) < END_OF_IDS


def test_moment_without_a_zone_is_refused():
    with pytest.raises(ValueError, match="no time zone"):
        new_parcel_id(NOON.replace(tzinfo=None))


@pytest.mark.parametrize("parcel_id", [-1, MAX_ID + 1])
def test_integers_outside_63_bits_are_no_ids(parcel_id):
    assert not is_allowed(parcel_id)
    with pytest.raises(ValueError, match="63 bits"):
        tracking_number(parcel_id)
    with pytest.raises(ValueError, match="63 bits"):
        moment_of(parcel_id)


@pytest.mark.parametrize("bits", [-1, 1 << RANDOM_BITS])
def test_random_bits_outside_their_range_are_refused(bits):
    with pytest.raises(ValueError, match="random bits"):
        new_parcel_id(NOON, random_bits=bits)


@pytest.mark.parametrize(
    ("typed", "reason"),
    [
        ("", "length"),
        ("CA", "length"),
        ("CA0123456789012", "length"),
        ("CA012345678901234", "length"),
        ("CB01234567890123", "character"),
        ("CA01234567U90123", "character"),
        ("CA0123456789012U", "character"),
        ("CA0123456789012*", "character"),
        ("CA+123456789_123", "character"),
        ("快递单号快递单号快递单号快递单号", "character"),
        # The body would need a 64th bit.
        ("CA80000000000000", "character"),
        ("CA01234567890123", "check"),
    ],
)
def test_bad_numbers_say_what_is_wrong(typed, reason):
    assert reason_for(typed) == reason
