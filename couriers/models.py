"""Courier companies: the members of the alliance."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from alliance.models import Organisation
from couriers.querysets import CourierQuerySet


class Courier(models.Model):
    """A courier company that has joined: the record its approved application became."""

    organisation = models.OneToOneField(
        Organisation, models.PROTECT, primary_key=True, related_name="courier", verbose_name=_("organisation")
    )
    legal_name = models.CharField(_("legal name"), max_length=200)
    permit_number = models.CharField(_("express permit number"), max_length=40, blank=True)
    contact_name = models.CharField(_("contact"), max_length=120, blank=True)
    contact_phone = models.CharField(_("phone"), max_length=40, blank=True)
    contact_email = models.EmailField(_("e-mail"), blank=True)
    joined_at = models.DateTimeField(_("joined"), null=True, blank=True)

    objects = models.Manager.from_queryset(CourierQuerySet)()

    class Meta:
        verbose_name = _("courier")
        verbose_name_plural = _("couriers")

    def __str__(self) -> str:
        return self.legal_name
