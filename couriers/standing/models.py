"""Couriers of the alliance, and their grade."""

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from alliance.models import Organisation
from couriers.choices import Grade
from couriers.standing.querysets import CourierQuerySet


class Courier(models.Model):
    """A courier company that has joined, created from its approved application."""

    organisation = models.OneToOneField(
        Organisation, models.PROTECT, primary_key=True, related_name="courier", verbose_name=_("organisation")
    )
    legal_name = models.CharField(_("legal name"), max_length=200)
    credit_code = models.CharField(_("unified social credit code"), max_length=18, blank=True, default="")
    permit_number = models.CharField(_("express permit number"), max_length=40, blank=True)
    joined_at = models.DateTimeField(_("joined"), null=True, blank=True)
    # The grade of the newest final scorecard; MEMBER without one.
    grade = models.CharField(_("grade"), max_length=10, choices=Grade, default=Grade.MEMBER)

    objects = models.Manager.from_queryset(CourierQuerySet)()

    class Meta:
        verbose_name = _("courier")
        verbose_name_plural = _("couriers")
        constraints: ClassVar[list[models.BaseConstraint]] = [
            # Couriers that exist only in imported history have no code.
            models.UniqueConstraint(
                fields=["credit_code"], condition=~Q(credit_code=""), name="courier_credit_code_once"
            ),
        ]

    def __str__(self) -> str:
        return self.legal_name
