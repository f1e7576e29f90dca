"""Closed vocabularies of membership. The values are stored; the labels are for people."""

from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy


class ApplicationState(models.TextChoices):
    DRAFT = "draft", _("Draft")
    SUBMITTED = "submitted", _("Waiting for review")
    MORE_NEEDED = "more_needed", _("More information needed")
    APPROVED = "approved", _("Approved")
    REJECTED = "rejected", _("Rejected")


class Step(models.TextChoices):
    """The parts an application is filled in by; each can be saved on its own."""

    COMPANY = "company", _("Company")
    CONTACT = "contact", _("Contact")
    CITIES = "cities", _("Service cities")
    DOCUMENTS = "documents", _("Documents")


class DocumentKind(models.TextChoices):
    BUSINESS_LICENCE = "business_licence", _("Business licence")
    EXPRESS_PERMIT = "express_permit", _("Express delivery permit")
    INSURANCE = "insurance", _("Insurance")
    OTHER = "other", pgettext_lazy("kind of document", "Other")


class FacilityKind(models.TextChoices):
    WAREHOUSE = "warehouse", _("Warehouse")
    DISTRIBUTION_CENTRE = "distribution_centre", _("Distribution centre")
    PICKUP_POINT = "pickup_point", _("Collection point")


class Grade(models.TextChoices):
    """How well a courier kept its promises, the best first; follows from its scorecards."""

    GOLD = "gold", pgettext_lazy("grade", "Gold")
    SILVER = "silver", pgettext_lazy("grade", "Silver")
    MEMBER = "member", pgettext_lazy("grade", "Member")
    PROBATION = "probation", pgettext_lazy("grade", "Probation")
