"""Commitments and breaches in the admin: read-only models over views that have a key of one column."""

from typing import ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from alliance.identifiers import tracking_number
from alliance.models import City, Organisation
from couriers.models import Courier
from slas.choices import CommitmentKind, ExcuseReason, Outcome
from slas.columns import dimension
from slas.commitments.querysets import JudgedQuerySet


class JudgedListing(models.Model):
    """A database view that gives each commitment one text key, "<parcel id>:<kind>", for the admin."""

    key = models.TextField(primary_key=True)
    parcel_id = models.BigIntegerField(_("parcel"))
    kind = models.CharField(_("milestone"), max_length=10, choices=CommitmentKind)
    merchant = dimension(Organisation, _("merchant"))
    courier = dimension(Courier, _("courier"))
    tier = dimension("slas.ServiceTier", _("tier"))
    origin = dimension(City, _("from"))
    destination = dimension(City, _("to"))
    due_at = models.DateTimeField(_("due"))
    reached_at = models.DateTimeField(_("reached"), null=True)
    outcome = models.CharField(_("outcome"), max_length=8, choices=Outcome)
    excused = models.BooleanField(_("exempt"))
    excuse_reason = models.CharField(_("exempt for"), max_length=32, choices=ExcuseReason)

    objects = models.Manager.from_queryset(JudgedQuerySet)()

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return f"{tracking_number(self.parcel_id)} {self.get_kind_display()}"

    @property
    def number(self) -> str:
        return tracking_number(self.parcel_id)


class CommitmentListing(JudgedListing):
    """Commitments as ops list them."""

    class Meta:
        managed = False
        db_table = "slas_commitment_listing"
        verbose_name = _("commitment")
        verbose_name_plural = _("commitments")
        constraints: ClassVar[list[models.BaseConstraint]] = [
            # Not in the database, but lets the admin order by the primary key's columns alone.
            models.UniqueConstraint(fields=["parcel_id", "kind"], name="commitment_listing_key"),
        ]


class BreachListing(JudgedListing):
    """Breaches as ops list them, with the current state of the promise."""

    opened_at = models.DateTimeField(_("opened"))
    withdrawn_at = models.DateTimeField(_("withdrawn"), null=True)

    class Meta:
        managed = False
        db_table = "slas_breach_listing"
        verbose_name = _("breach")
        verbose_name_plural = _("breaches")
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["parcel_id", "kind"], name="breach_listing_key"),
        ]
