"""Models of couriers: couriers, applications, documents and shared facilities."""

from couriers.applications.models import Application, ApplicationEvent, ServiceCity
from couriers.changes.models import ChangeRequest
from couriers.documents.models import Document
from couriers.facilities.models import Facility
from couriers.homes.models import CourierHome
from couriers.standing.models import Courier

# Django imports models from here; each is defined in the file of its subject.
__all__ = [
    "Application",
    "ApplicationEvent",
    "ChangeRequest",
    "Courier",
    "CourierHome",
    "Document",
    "Facility",
    "ServiceCity",
]
