"""Reads of applications for the subjects above."""

from couriers.applications.models import ServiceCity
from couriers.choices import ApplicationState


def approved_cities(courier_id: int) -> frozenset[int] | None:
    """Return the ids of the service cities that a courier was approved for.

    None for couriers that joined before applications went online: nothing limits them.
    """
    cities = ServiceCity.objects.filter(
        organisation_id=courier_id, application__state=ApplicationState.APPROVED
    )
    return frozenset(cities.values_list("city_id", flat=True)) or None
