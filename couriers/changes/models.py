"""Changes of a courier's data that wait for ops, and those decided on."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from alliance.models import Organisation
from alliance.tenancy import TenantQuerySet
from couriers.choices import ChangeState


class ChangeRequest(models.Model):
    """A courier's proposal to change its name, code, permit or service cities after it was approved."""

    organisation = models.ForeignKey(
        Organisation, models.PROTECT, related_name="+", verbose_name=_("organisation")
    )
    state = models.CharField(_("state"), max_length=10, choices=ChangeState, default=ChangeState.WAITING)
    # Of the fields that change only; cities by id.
    before = models.JSONField(_("before"))
    values = models.JSONField(_("proposed"))
    note = models.TextField(_("note"), blank=True)
    reason = models.TextField(_("reason"), blank=True)
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+", verbose_name=_("requested by")
    )
    requested_at = models.DateTimeField(_("requested"), default=timezone.now)
    decided_at = models.DateTimeField(_("decided"), null=True, blank=True)

    objects = models.Manager.from_queryset(TenantQuerySet)()

    class Meta:
        verbose_name = _("change of data")
        verbose_name_plural = _("changes of data")
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(name="change_state_known", condition=Q(state__in=ChangeState.values)),
            models.UniqueConstraint(
                fields=["organisation"],
                condition=Q(state=ChangeState.WAITING),
                name="change_one_waiting_an_organisation",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.organisation} ({self.get_state_display()})"
