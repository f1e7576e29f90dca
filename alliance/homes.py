"""Homes of parcels: the 64 parts of the range in which a cluster's shards lie.

A cluster places a row by PostgreSQL's hash of its parcel id. A home is the upper six bits of that hash, so
each shard of up to 64 has whole homes. New ids are drawn among the homes of the courier: its batches then
touch few shards. One server draws alike, and may become a cluster later.
"""

import os
from collections.abc import Collection, Iterable, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime
from functools import cache
from typing import Any, Final

from alliance.identifiers import RANDOM_BITS, is_allowed, parcel_id_at, random_words

HOME_BITS: Final = 6
HOMES: Final = 1 << HOME_BITS
ALL_HOMES: Final = tuple(range(HOMES))

_WORD: Final = 0xFFFFFFFF
_SIGN: Final = 1 << 31
_SHIFT: Final = 32 - HOME_BITS
_RANDOM: Final = (1 << RANDOM_BITS) - 1
# Up to so many candidates or ids a loop is used: numpy takes 0.2 seconds and 15 MB to import, once a process.
_FEW: Final = 128
# Candidates at a time, that fit a processor's cache.
_MANY: Final = 1 << 14
# No more ids than this of one home and millisecond: 57,000 are allowed, and the last would be hard to find.
_MOST: Final = (1 << RANDOM_BITS - HOME_BITS) // 4

# PostgreSQL's hash_uint32 is Jenkins' mix of three words. The first two of its seven steps meet constants:
# the words begin alike, and only one of them is added to.
_BEGIN: Final = 0x9E3779B9 + 4 + 3923095
_STEP_1: Final = -(_BEGIN << 14 | _BEGIN >> 18) & _WORD
_STEP_2: Final = (_STEP_1 << 11 | _STEP_1 >> 21) & _WORD


def hash_of(parcel_id: int) -> int:
    """Return PostgreSQL's `hashint8(id)`, by which a cluster finds the shard: a signed number of 32 bits."""
    return (_hash(_fold(parcel_id)) ^ _SIGN) - _SIGN


def home_of(parcel_id: int) -> int:
    """Return the home of a parcel, 0 to 63: homes are in the order of hashes, hence of shards."""
    return (_hash(_fold(parcel_id)) ^ _SIGN) >> _SHIFT


def homes_of(parcel_ids: Sequence[int]) -> list[int]:
    """Return the homes of many parcels, in their order."""
    if len(parcel_ids) <= _FEW:
        return [home_of(parcel_id) for parcel_id in parcel_ids]
    numpy = _numpy()
    ids = numpy.array(parcel_ids, dtype=numpy.int64)
    high = (ids >> 32) ^ (ids >> 63)
    homes: list[int] = _homes(numpy, (ids ^ high).astype(numpy.uint32)).tolist()
    return homes


def draw_parcel_ids(
    at: datetime, count: int, *, homes: Collection[int] = ALL_HOMES, used: AbstractSet[int] = frozenset()
) -> list[int]:
    """Return new ids of parcels booked at a moment: different ones, of these homes, none of those used.

    Each allowed id of these homes is as likely as any other. Raises ValueError outside 2016 to 2085, and if
    so many of one millisecond would take long to find.
    """
    wanted = {*homes}
    if not wanted or not wanted.issubset(ALL_HOMES):
        raise ValueError(f"homes are numbers from 0 to {HOMES - 1}, not {sorted(wanted)}")
    if count + len(used) > _MOST * len(wanted):
        raise ValueError(f"{count} ids of one millisecond are too many for {len(wanted)} of {HOMES} homes")
    start, ids = parcel_id_at(at), dict[int, None]()
    while missing := count - len(ids):
        # A few more than are likely needed, as 5 in 37 check characters are not allowed.
        tries = missing * HOMES * 6 // (5 * len(wanted)) + 32
        for bits in _candidates(start, tries, wanted):
            parcel_id = start | bits
            if is_allowed(parcel_id) and parcel_id not in used:
                ids[parcel_id] = None
                if len(ids) == count:
                    break
    return [*ids]


def one_of(homes: Sequence[int]) -> Sequence[int]:
    """Return a random one of a courier's homes; all of them if it has every home."""
    if len(homes) in {1, HOMES}:
        return homes
    [word] = memoryview(random_words(1)).cast("I")
    return (homes[word % len(homes)],)


def _candidates(start: int, tries: int, wanted: set[int]) -> Iterable[int]:
    """Return the random bits, of some tries, that give an id of the wanted homes."""
    folded = _fold(start)
    words = random_words(min(tries, _MANY))
    if tries <= _FEW:
        return _candidates_in_turn(words, folded, wanted)
    numpy = _numpy()
    bits = numpy.frombuffer(words, dtype=numpy.uint32) & numpy.uint32(_RANDOM)
    is_wanted = numpy.zeros(HOMES, dtype=bool)
    is_wanted[[*wanted]] = True
    found: list[int] = bits[is_wanted[_homes(numpy, bits ^ numpy.uint32(folded))]].tolist()
    return found


def _candidates_in_turn(words: bytes, folded: int, wanted: set[int]) -> Iterable[int]:
    for word in memoryview(words).cast("I"):
        bits = word & _RANDOM
        if (_hash(bits ^ folded) ^ _SIGN) >> _SHIFT in wanted:
            yield bits


def _fold(parcel_id: int) -> int:
    """Return the 32 bits that are hashed: as PostgreSQL has it, so that small numbers hash like int4."""
    return (parcel_id ^ parcel_id >> 32 ^ parcel_id >> 63) & _WORD


def _hash(word: int) -> int:
    a = ((word + _BEGIN & _WORD) ^ _STEP_1) - _STEP_2 & _WORD
    b = (_BEGIN ^ a) - (a << 25 | a >> 7) & _WORD
    c = (_STEP_1 ^ b) - (b << 16 | b >> 16) & _WORD
    a = (a ^ c) - (c << 4 | c >> 28) & _WORD
    b = (b ^ a) - (a << 14 | a >> 18) & _WORD
    return (c ^ b) - (b << 24 | b >> 8) & _WORD


def _homes(numpy: Any, words: Any) -> Any:
    """Return the homes of an array of folded ids. The steps are those of `_hash`."""
    begin, step_1, step_2 = (numpy.uint32(each) for each in (_BEGIN, _STEP_1, _STEP_2))
    a = ((words + begin) ^ step_1) - step_2
    b = (begin ^ a) - (a << 25 | a >> 7)
    c = (step_1 ^ b) - (b << 16 | b >> 16)
    a = (a ^ c) - (c << 4 | c >> 28)
    b = (b ^ a) - (a << 14 | a >> 18)
    return ((c ^ b) - (b << 24 | b >> 8) ^ numpy.uint32(_SIGN)) >> _SHIFT


@cache
def _numpy() -> Any:
    # Nothing here is linear algebra, for which numpy would start a thread for each core.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    import numpy  # noqa: PLC0415 -- only a process that books or scans in batches needs it

    return numpy
