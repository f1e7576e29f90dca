"""Who the members are: couriers, their applications and documents, shared facilities."""

from couriers.applications.models import Application, ApplicationEvent, ServiceCity
from couriers.documents.models import Document
from couriers.facilities.models import Facility
from couriers.standing.models import Courier

# Django looks for models here; each is in the file of its subject.
__all__ = [
    "Application",
    "ApplicationEvent",
    "Courier",
    "Document",
    "Facility",
    "ServiceCity",
]
