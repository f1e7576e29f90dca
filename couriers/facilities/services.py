"""Create and change shared facilities, by ops."""

from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from alliance import audit
from alliance.choices import Capability
from alliance.errors import FieldError, InvalidInput
from alliance.models import City
from alliance.tenancy import Actor, require
from couriers.applications.rules import NAME_LENGTH, name_problem, tidy
from couriers.choices import FacilityKind
from couriers.facilities.models import Facility


@transaction.atomic
def save_facility(
    *, actor: Actor, name: str, city: City, kind: FacilityKind | str, facility_id: int | None = None
) -> Facility:
    """Create or change a shared facility. Raises InvalidInput if the city has one of that name."""
    require(actor, Capability.OPERATE)
    name = tidy(name)
    errors = []
    if not 1 <= len(name) <= NAME_LENGTH:
        errors.append(FieldError("/name", _("Enter a name of at most 200 characters."), "required"))
    if problem := name_problem(name):
        errors.append(FieldError("/name", problem, "invalid"))
    if kind not in FacilityKind.values:
        errors.append(FieldError("/kind", _("Choose a kind."), "choice"))
    if Facility.objects.filter(city=city, name=name).exclude(pk=facility_id).exists():
        errors.append(FieldError("/name", _("The city already has a facility of this name."), "taken"))
    if errors:
        raise InvalidInput(errors=errors)
    values: dict[str, Any] = {"name": name, "city": city, "kind": kind}
    is_new = facility_id is None
    facility = Facility() if facility_id is None else Facility.objects.get(pk=facility_id)
    for field, value in values.items():
        setattr(facility, field, value)
    facility.save()
    audit.record(
        actor=actor,
        verb="facility.created" if is_new else "facility.changed",
        object_type="facility",
        object_id=facility.pk,
        detail={"name": name, "city": city.code, "kind": str(kind)},
    )
    return facility
