"""Choices of couriers' models. Values are stored; labels are for people."""

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
    """The steps of an application; each can be saved separately."""

    COMPANY = "company", _("Company")
    CONTACT = "contact", _("Contact")
    CITIES = "cities", _("Service cities")
    DOCUMENTS = "documents", _("Documents")


class DocumentKind(models.TextChoices):
    BUSINESS_LICENCE = "business_licence", _("Business licence")
    EXPRESS_PERMIT = "express_permit", _("Express delivery permit")
    INSURANCE = "insurance", _("Insurance")
    OTHER = "other", pgettext_lazy("kind of document", "Other")


class ChangeState(models.TextChoices):
    """What became of a proposed change of a courier's data."""

    WAITING = "waiting", _("Waiting for review")
    APPROVED = "approved", _("Approved")
    DECLINED = "declined", _("Declined")
    WITHDRAWN = "withdrawn", _("Withdrawn")


class FacilityKind(models.TextChoices):
    WAREHOUSE = "warehouse", _("Warehouse")
    DISTRIBUTION_CENTRE = "distribution_centre", _("Distribution centre")
    PICKUP_POINT = "pickup_point", _("Collection point")


class Grade(models.TextChoices):
    """The grade of a courier, best first; derived from its scorecards."""

    GOLD = "gold", pgettext_lazy("grade", "Gold")
    SILVER = "silver", pgettext_lazy("grade", "Silver")
    MEMBER = "member", pgettext_lazy("grade", "Member")
    PROBATION = "probation", pgettext_lazy("grade", "Probation")
