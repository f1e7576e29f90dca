"""Views of lists that users keep."""

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from alliance.members.models import Organisation, User
from alliance.saved_views.querysets import SavedViewQuerySet

NAME_LENGTH = 40
QUERY_LENGTH = 1_000


class SavedView(models.Model):
    """Filters and sort of a list under a name, as one user keeps them in one organisation.

    Staff keep theirs without an organisation. A deleted view stays for a while, so that it can be restored.
    """

    organisation = models.ForeignKey(
        Organisation,
        models.PROTECT,
        null=True,
        db_index=False,
        related_name="+",
        verbose_name=_("organisation"),
    )
    user = models.ForeignKey(User, models.CASCADE, related_name="saved_views", verbose_name=_("user"))
    listing = models.CharField(_("list"), max_length=40)
    name = models.CharField(_("name"), max_length=NAME_LENGTH)
    # The parameters of the list's URL, sorted.
    query = models.CharField(_("filters"), max_length=QUERY_LENGTH)
    is_default = models.BooleanField(_("default"), default=False)
    created_at = models.DateTimeField(_("created"), default=timezone.now)
    deleted_at = models.DateTimeField(_("deleted"), null=True)

    objects = models.Manager.from_queryset(SavedViewQuerySet)()

    class Meta:
        verbose_name = _("saved view")
        verbose_name_plural = _("saved views")
        constraints: ClassVar[list[models.BaseConstraint]] = [
            # Its index reads the views of a user; staff have no organisation.
            models.UniqueConstraint(
                fields=["user", "organisation", "listing", "name"],
                condition=Q(deleted_at=None),
                nulls_distinct=False,
                name="saved_view_name_once",
            ),
            models.UniqueConstraint(
                fields=["user", "organisation", "listing"],
                condition=Q(deleted_at=None, is_default=True),
                nulls_distinct=False,
                name="saved_view_one_default",
            ),
            models.CheckConstraint(name="saved_view_has_name", condition=~Q(name="")),
        ]

    def __str__(self) -> str:
        return self.name
