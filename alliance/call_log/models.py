"""Calls of the API, as the log keeps them."""

from datetime import datetime
from typing import ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from alliance.call_log.rules import moment_of
from alliance.tenancy import TenantQuerySet


class ApiCall(models.Model):
    """One call of a program, and its answer. Never edited; the rows of a day are dropped together.

    The table is the parent of one table a day (alliance/call_log/days.py), which hold the rows. An id has the
    time of the call in it: see `rules.id_at`. No foreign keys: a key of them would be locked with each batch.
    """

    id = models.BigIntegerField(primary_key=True)
    organisation_id = models.BigIntegerField(_("organisation"))
    api_key_id = models.BigIntegerField(_("API key id"))
    method = models.CharField(_("method"), max_length=10)
    # With the names of its parameters, and the values of those that cannot be about a person.
    path = models.CharField(_("path"), max_length=300)
    route = models.CharField(_("route"), max_length=160)
    status = models.SmallIntegerField(_("status"))
    duration_ms = models.IntegerField(_("duration"))
    request_id = models.CharField(_("request id"), max_length=64)
    # The code of a problem, and its body without what was sent.
    problem = models.CharField(_("problem"), max_length=60, blank=True)
    body = models.JSONField(_("problem"), null=True)
    address = models.GenericIPAddressField(_("address"), null=True)
    # How many calls like it this row is kept for.
    stands_for = models.IntegerField(default=1)

    objects = models.Manager.from_queryset(TenantQuerySet)()

    class Meta:
        verbose_name = _("API call")
        verbose_name_plural = _("API calls")
        indexes: ClassVar[list[models.Index]] = [
            # The list, newest first: all, those of one key, those that failed.
            models.Index(fields=["organisation_id", "-id"], name="call_by_organisation"),
            models.Index(fields=["api_key_id", "-id"], name="call_by_key"),
            models.Index(
                fields=["organisation_id", "-id"], condition=models.Q(status__gte=400), name="call_failed"
            ),
            # One call, by the id its answer had.
            models.Index(fields=["organisation_id", "request_id"], name="call_by_request_id"),
        ]

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def at(self) -> datetime:
        return moment_of(self.pk)
