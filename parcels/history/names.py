"""The merchants, couriers, tiers and cities that a file names."""

from dataclasses import dataclass

from django.utils.translation import gettext as _

from alliance.choices import OrganisationKind
from alliance.cities import CityFinder, UnknownCity
from alliance.members.services.organisations import create_organisation
from alliance.models import City, Organisation
from alliance.names import MOST, organisations_named
from alliance.tenancy import Actor
from couriers.models import Courier
from parcels.history.rows import HistoryRow, Problem
from slas.models import ServiceTier

# Merchant, courier and reference: by them an imported parcel is known again.
Identity = tuple[int, int, str]


@dataclass(frozen=True, slots=True)
class ResolvedRow:
    """A row with the ids of its names."""

    row: HistoryRow
    merchant_id: int
    courier_id: int
    tier_id: int
    origin: City
    destination: City

    @property
    def identity(self) -> Identity:
        return self.merchant_id, self.courier_id, self.row.reference


class Names:
    """Finds what a file names; each name is looked up once."""

    def __init__(self, *, actor: Actor, create: bool) -> None:
        self.actor, self.create = actor, create
        self.created: list[str] = []
        self.tiers = dict(ServiceTier.objects.values_list("code", "id"))
        self._cities = CityFinder()
        self._organisations: dict[tuple[str, str], int | None] = {}

    def undo(self, *, created: int) -> None:
        """Forget what was found: its transaction was undone, and organisations after so many with it."""
        self._organisations.clear()
        del self.created[created:]

    def resolve(self, row: HistoryRow, problems: list[Problem]) -> ResolvedRow | None:
        """Return a row with the ids of its names; None, with its problems, if one is unknown."""
        problem_count = len(problems)
        tier_id = self.tiers.get(row.tier, 0)
        if not tier_id:
            tiers = ", ".join(self.tiers)
            message = _("Unknown tier “%(tier)s”. Choose from: %(known)s.")
            problems.append(Problem(row.line, "tier", message % {"tier": row.tier, "known": tiers}))
        cities = []
        for column in ("origin", "destination"):
            try:
                cities.append(self._cities.find(getattr(row, column)))
            except UnknownCity as error:
                problems.append(Problem(row.line, column, str(error)))
        ids = []
        for column, kind in (("merchant", OrganisationKind.MERCHANT), ("courier", OrganisationKind.COURIER)):
            # No organisation is created for a row that is rejected.
            name = getattr(row, column)
            organisation_id = self._organisation(kind, name) if len(problems) == problem_count else None
            if organisation_id is None and len(problems) == problem_count:
                message = _("Unknown %(column)s “%(name)s”. Import with --create to add it.")
                problems.append(Problem(row.line, column, message % {"column": column, "name": name}))
            ids.append(organisation_id or 0)
        if len(problems) > problem_count:
            return None
        return ResolvedRow(row, ids[0], ids[1], tier_id, cities[0], cities[1])

    def _organisation(self, kind: OrganisationKind, name: str) -> int | None:
        """Return the id of an organisation; None if it is unknown and must not be created."""
        key = (kind, name)
        if key not in self._organisations:
            organisation = Organisation.objects.filter(kind=kind, slug=name).first() or _named(kind, name)
            if organisation is not None:
                self._organisations[key] = organisation.pk
            else:
                self._organisations[key] = self._create(kind, name) if self.create else None
        return self._organisations[key]

    def _create(self, kind: OrganisationKind, name: str) -> int:
        organisation = create_organisation(actor=self.actor, kind=kind, name=name)
        if kind == OrganisationKind.COURIER:
            Courier.objects.create(organisation=organisation, legal_name=name)
        self.created.append(f"{kind}: {name}")
        return organisation.pk


def _named(kind: OrganisationKind, name: str) -> Organisation | None:
    """Return the organisation of exactly this name, in any capitals."""
    beyond: int | None = None
    while True:
        ids = organisations_named(name, kind=kind, beyond=beyond)
        for organisation in Organisation.objects.filter(pk__in=ids):
            if organisation.name.lower() == name.lower():
                return organisation
        if len(ids) < MOST:
            return None
        beyond = ids[-1]
