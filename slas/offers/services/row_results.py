"""What rows of a file do to a courier's offers: told, and done."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from django.utils import timezone
from django.utils.translation import gettext as _

from alliance import audit
from alliance.errors import FieldError, InvalidInput
from alliance.tenancy import Actor
from couriers.applications.queries import approved_cities
from slas.offers.models import Offer
from slas.offers.services.capacity import follow_offers
from slas.offers.services.offer_rows import OfferRow, TermsReader
from slas.offers.services.offers import OfferTerms, first_day_of_change
from slas.promises.prices import yuan

# Tier, origin and destination: a courier has one offer for each combination.
_Key = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class RowResult:
    """The result of one row of a file: created, changed, unchanged or rejected."""

    line: int
    outcome: str
    cells: Mapping[str, str]
    terms: OfferTerms | None = None
    before: Offer | None = None
    errors: tuple[FieldError, ...] = field(default=())

    def values(self) -> tuple[str, ...]:
        """Tier, origin and destination, and price, capacity and on sale each with the value before."""
        if self.terms is None:
            given = (self.cells.get(name, "")[:80] for name in ("tier", "origin", "destination"))
            return (*given, *(("",) * 6))
        new, old = self.terms, self.before
        lane = (new.tier.code, new.origin.code, new.destination.code)
        pairs = zip(_terms_texts(new), _terms_texts(old) if old else ("",) * 3, strict=True)
        return (*lane, *(text for pair in pairs for text in pair))


class OfferBook:
    """A courier's offers while a file is worked through. Each city is looked up once per file."""

    def __init__(self, actor: Actor) -> None:
        self._actor = actor
        self._reader = TermsReader(approved_cities(actor.tenant_id))
        self._lines: dict[_Key, int] = {}
        self._offers = {
            (offer.tier_id, offer.origin_id, offer.destination_id): offer
            for offer in Offer.objects.filter(courier_id=actor.tenant_id)
        }

    def judge(self, rows: Sequence[OfferRow]) -> list[RowResult]:
        """Say of each row what it changes, or what is wrong with it."""
        return [self._judge(row) for row in rows]

    def save(self, results: Sequence[RowResult]) -> None:
        """Create and change the offers of judged rows, in one statement. Runs in the courier's scope."""
        changes = [result for result in results if result.outcome in ("created", "changed")]
        if not changes:
            return
        _upsert(self._actor, [result.terms for result in changes if result.terms])
        changed = [result.before.pk for result in changes if result.before]
        follow_offers(changed, first_day=first_day_of_change())

    def _judge(self, row: OfferRow) -> RowResult:
        try:
            terms = self._reader.terms(row)
            key = (terms.tier.pk, terms.origin.pk, terms.destination.pk)
            if key in self._lines:
                message = _("Line %(line)d already has this lane and tier.") % {"line": self._lines[key]}
                raise InvalidInput(errors=[FieldError("/tier", message, "duplicate")])
        except InvalidInput as error:
            return RowResult(row.line, "rejected", row.cells, errors=tuple(error.errors))
        self._lines[key] = row.line
        before = self._offers.get(key)
        return RowResult(row.line, _outcome(before, terms), row.cells, terms, before)


def _terms_texts(terms: OfferTerms | Offer) -> tuple[str, str, str]:
    return yuan(terms.price_fen), str(terms.daily_capacity), "yes" if terms.active else "no"


def _outcome(offer: Offer | None, terms: OfferTerms) -> str:
    if offer is None:
        return "created"
    is_same = (offer.price_fen, offer.daily_capacity, offer.active) == (
        terms.price_fen,
        terms.daily_capacity,
        terms.active,
    )
    return "unchanged" if is_same else "changed"


def _upsert(actor: Actor, changes: Sequence[OfferTerms]) -> None:
    now = timezone.now()
    offers = [
        Offer(
            courier_id=actor.tenant_id, tier=terms.tier, origin=terms.origin, destination=terms.destination,
            price_fen=terms.price_fen, daily_capacity=terms.daily_capacity, active=terms.active,
            updated_at=now,
        )
        for terms in changes
    ]  # fmt: skip
    # An upsert: a concurrent upload of the same file must not fail this one.
    Offer.objects.bulk_create(
        offers,
        batch_size=1_000,
        update_conflicts=True,
        unique_fields=["courier", "tier", "origin", "destination"],
        update_fields=["price_fen", "daily_capacity", "active", "updated_at"],
    )
    audit.record(
        actor=actor,
        verb="offers.uploaded",
        object_type="offer",
        object_id="",
        detail={"offers": len(changes)},
    )
