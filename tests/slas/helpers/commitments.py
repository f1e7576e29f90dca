"""Commitments for tests, and the expected state of the database."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import count

from alliance.homes import ALL_HOMES, home_of
from alliance.identifiers import new_parcel_id
from alliance.members.acquaintances import acquaint
from alliance.models import City, Organisation
from alliance.tenancy import Scope, scope
from slas.audits.rates import audit_rates
from slas.choices import CommitmentKind, Outcome, TierCode
from slas.commitments.services.settling import CommitmentDraft, Milestone, open_commitments, settle
from slas.models import Breach, Commitment, OnTimeRate, ServiceTier

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
PICKUP, DELIVERY = CommitmentKind.PICKUP, CommitmentKind.DELIVERY
# A moment in a month that has partitions, whatever day the tests run on.
NOON = datetime.now(UTC).replace(hour=4, minute=0, second=0, microsecond=0)
# Not one after the other: an id that is not allowed gives way to the next.
_bits = count(1, 97)


@dataclass(frozen=True)
class Lane:
    """One merchant, one courier, one lane at one tier: where the commitments of a test belong."""

    merchant: Organisation
    courier: Organisation
    tier: ServiceTier
    origin: City
    destination: City
    homes: Collection[int] = ALL_HOMES

    def __post_init__(self) -> None:
        # As a booking does: both read each other's names.
        with scope(Scope.everything()):
            acquaint([(self.merchant.pk, self.courier.pk)])

    def of_one_home(self) -> "Lane":
        """Return the lane with parcels that a cluster has in one shard: one batch takes them all."""
        return replace(self, homes=ALL_HOMES[:1])

    def draft(
        self, due_at: datetime = NOON, kind: CommitmentKind = DELIVERY, **fields: object
    ) -> CommitmentDraft:
        draft = CommitmentDraft(
            parcel_id=self._new_id(),
            kind=kind,
            merchant_id=self.merchant.pk,
            courier_id=self.courier.pk,
            tier_id=self.tier.pk,
            origin_id=self.origin.pk,
            destination_id=self.destination.pk,
            version_id=None,
            due_at=due_at,
            zone=self.destination.time_zone,
        )
        return replace(draft, **fields)

    def promise(self, due_at: datetime = NOON, kind: CommitmentKind = DELIVERY, **fields: object) -> int:
        """Open one commitment, and return its parcel's id."""
        draft = self.draft(due_at, kind, **fields)
        assert open_commitments([draft]) == 1
        return draft.parcel_id

    def _new_id(self) -> int:
        ids = (new_parcel_id(NOON, random_bits=bits) for bits in _bits)
        return next(parcel_id for parcel_id in ids if home_of(parcel_id) in self.homes)


def lane(merchant: Organisation, courier: Organisation) -> Lane:
    with scope(Scope.everything()):
        acquaint([(merchant.pk, courier.pk)])
    return Lane(merchant, courier, tier(), city("CN-HGH", "Hangzhou"), city("CN-CTU", "Chengdu"))


def city(code: str, name: str) -> City:
    fields = {"name_en": name, "name_zh": name, "country": "CN", "time_zone": "Asia/Shanghai"}
    return City.objects.get_or_create(code=code, defaults={**fields, "latitude": 30.0, "longitude": 120.0})[0]


def tier(code: TierCode = TierCode.NEXT_DAY) -> ServiceTier:
    return ServiceTier.objects.get_or_create(
        code=code, defaults={"name_en": code.label, "name_zh": code.label}
    )[0]


def reach(
    parcel_id: int,
    at: datetime | None,
    *,
    kind: CommitmentKind = DELIVERY,
    exact: bool = False,
    now: datetime = NOON + HOUR,
) -> tuple[int, int, int]:
    """Settle one milestone; return how many changed, opened and withdrew."""
    return tuple(settle([Milestone(parcel_id, kind, at, exact)], now=now))


def outcome(parcel_id: int, kind: CommitmentKind = DELIVERY) -> str:
    return Commitment.objects.get(parcel_id=parcel_id, kind=kind).outcome


def standing_breaches() -> set[tuple[int, str]]:
    return set(Breach.objects.standing().values_list("parcel_id", "kind"))


def broken_promises() -> set[tuple[int, str]]:
    broken = Commitment.objects.filter(outcome__in=[Outcome.LATE, Outcome.OVERDUE])
    return set(broken.values_list("parcel_id", "kind"))


def counts(organisation: Organisation) -> dict[str, int]:
    """Add up the folded cells of an organisation, without zeros."""
    columns = ("pending", "met", "late", "overdue", "void", "excused")
    cells = OnTimeRate.objects.filter(organisation=organisation).values_list(*columns)
    totals = dict(zip(columns, map(sum, zip(*cells, strict=True)), strict=False))
    return {column: total for column, total in totals.items() if total}


def assert_books_agree() -> None:
    """Cells with waiting tallies equal the commitments, and breaches stand where promises are broken."""
    assert audit_rates().differences == []
    assert standing_breaches() == broken_promises()
