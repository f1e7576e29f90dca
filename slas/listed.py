"""Whatever a page of a list names beside its rows: cities, tiers and parties, each read once for the page.

Not by joins: for each row they would bring the same few objects again, which takes longer than all else, and
because of their policies the planner would read and sort a whole list for each page. On a cluster, whom a
courier knows is on the coordinator, and so the names have to be read there.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Final, TypeVar

from django.db.models import Model

from alliance.models import City, Organisation
from alliance.small_tables import CITIES, SmallTable
from slas.promises.models import ServiceTier

Row = TypeVar("Row", bound=Model)
TIERS: Final = SmallTable(ServiceTier)
LANE: Final = ("tier", "origin", "destination")
NAMED: Final = ("merchant", "courier", *LANE)
_ORGANISATIONS: Final = "SELECT * FROM alliance_organisation WHERE id = ANY(%s)"


def with_names(rows: Iterable[Row], *, names: Sequence[str] = NAMED) -> list[Row]:
    """Give rows their cities, tiers and parties; leaves out those of somebody the reader cannot see."""
    listed = list(rows)
    if not listed:
        return []
    known = {field.name: field for field in listed[0]._meta.concrete_fields}
    fields: list[Any] = [known[name] for name in names if name in known]
    wanted: dict[type[Model], set[int]] = {}
    for field in fields:
        ids = wanted.setdefault(field.related_model, set())
        ids.update(getattr(row, field.attname) for row in listed)
    found = _found(wanted)
    for field in fields:
        related = found[field.related_model]
        listed = [row for row in listed if getattr(row, field.attname) in related]
        for row in listed:
            field.set_cached_value(row, related[getattr(row, field.attname)])
    return listed


def first_with_names(rows: Iterable[Row], *, names: Sequence[str] = NAMED) -> Row | None:
    """Return the only row that a key selects, with its names; None if the reader sees no such row."""
    return next(iter(with_names(rows, names=names)), None)


def _found(wanted: dict[type[Model], set[int]]) -> dict[type[Model], dict[int, Any]]:
    small: dict[type[Model], SmallTable[Any]] = {City: CITIES, ServiceTier: TIERS}
    found = {model: small[model].rows(ids) for model, ids in wanted.items() if model in small}
    parties = {model: ids for model, ids in wanted.items() if model not in small}
    if parties:
        ids = set().union(*parties.values())
        organisations = {each.pk: each for each in Organisation.objects.raw(_ORGANISATIONS, [[*ids]])}
        for model in parties:
            found[model] = organisations if model is Organisation else _companies(model, organisations)
    return found


def _companies(model: type[Model], organisations: dict[int, Organisation]) -> dict[int, Any]:
    """Couriers or merchants with their organisation; whatever else is asked of one is read then."""
    companies = {}
    for pk, organisation in organisations.items():
        company: Any = model.from_db(organisation._state.db, ["organisation_id"], [pk])
        company.organisation = organisation
        companies[pk] = company
    return companies
