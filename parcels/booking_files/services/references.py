"""Find the parcels that have the references of a file's rows.

A parcel lies in a home of its courier. So on a cluster the homes of those couriers are asked that a merchant
has ever booked, and a worker that has none of them may be away.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from alliance.database.at_home import where_shards_are
from alliance.database.cluster import is_distributed, keys_of_homes
from alliance.database.literals import texts
from alliance.database.stored_functions import StoredStatement
from alliance.identifiers import parcel_id_at
from alliance.phones import national_numbers
from alliance.tenancy import Actor, raw_rows
from couriers.homes.queries import homes_of_merchant
from parcels.bookings.rules import Recipient

# A reference is booked once within this time; later it may be used for another parcel.
REMEMBERED: Final = timedelta(days=30)

PARCELS_BY_REFERENCE: Final = StoredStatement(
    "parcels_by_reference",
    at_home=True,
    is_stable=True,
    is_plain=True,
    parameters={"home": "bigint", "merchant_id": "bigint", "oldest": "bigint", "reference": "text[]"},
    returns={
        **{"reference": "text", "id": "bigint", "recipient_name": "text", "recipient_phone": "text"},
        **{"piece": "int", "order_id": "bigint"},
    },
    body="""
BEGIN
    RETURN QUERY
    SELECT DISTINCT ON (reference, piece) reference::text, id, recipient_name::text, recipient_phone::text,
        piece::int, order_id
    FROM parcels_parcel
    WHERE merchant_id = %(merchant_id)s AND id >= %(oldest)s AND reference = ANY(%(reference)s)
        AND reference <> '' AND status <> 'cancelled'
    ORDER BY reference, piece, id;
END""",
)


@dataclass(frozen=True, slots=True)
class Earlier:
    """A parcel that has a row's reference, and the line of the same file that it is from.

    `pieces` are the parcels of its order by their places, without those that were cancelled.
    """

    parcel_id: int
    name: str
    phone: str
    line: int = 0
    pieces: Mapping[int, int] = field(default_factory=dict)

    def is_for_another(self, recipient: Recipient) -> bool:
        """Whether neither name nor phone agrees: a corrected row has one of them, an erased parcel none."""
        if not (self.name or self.phone):
            return False
        have_phone = set(national_numbers(self.phone)) & set(national_numbers(recipient.phone))
        return not have_phone and self.name.casefold() != recipient.name.casefold()


def homes_with_references(merchant_id: int, *, at: datetime) -> tuple[int, ...]:
    """Return the homes that may have a parcel whose reference is remembered; in the merchant's scope."""
    return homes_of_merchant(merchant_id, from_id=parcel_id_at(at - REMEMBERED))


def booked_before(actor: Actor, references: Iterable[str], *, at: datetime) -> dict[str, Earlier]:
    """Return the first parcel with each of some references, of those booked lately and not cancelled."""
    # PostgreSQL takes no NUL; such a reference is refused when it is booked.
    unique = sorted({reference for reference in references if reference and "\0" not in reference})
    if not unique:
        return {}
    merchant_id = actor.tenant_id
    asked = {
        "merchant_id": merchant_id,
        "oldest": parcel_id_at(at - REMEMBERED),
        "reference": texts(unique),
    }
    homes = [0]
    if is_distributed():
        homes = list(keys_of_homes(homes_with_references(merchant_id, at=at)).values())
    rows = where_shards_are(
        lambda: [
            row for home in homes for row in raw_rows(PARCELS_BY_REFERENCE.call, {"home": home, **asked})
        ]
    )
    found: dict[str, Earlier] = {}
    orders: dict[str, int | None] = {}
    pieces: dict[str, dict[int, int]] = {}
    for reference, parcel_id, name, phone, piece, order_id in sorted(rows, key=lambda row: row[1]):
        of_first = pieces.setdefault(reference, {})
        if reference not in found:
            found[reference] = Earlier(parcel_id, name, phone, pieces=of_first)
            orders[reference] = order_id
        if not of_first or (order_id is not None and order_id == orders[reference]):
            of_first[piece] = parcel_id
    return found
