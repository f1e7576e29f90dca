"""Documents of an application."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from alliance.models import Organisation
from couriers.applications.models import Application
from couriers.applications.querysets import ApplicationPartQuerySet
from couriers.choices import DocumentKind
from couriers.documents.files import EXTENSIONS, MAX_BYTES, private_storage, random_name


class Document(models.Model):
    """A document that proves the data of an application. Private: served only after a permission check."""

    organisation = models.ForeignKey(Organisation, models.PROTECT, related_name="+")
    application = models.ForeignKey(Application, models.PROTECT, related_name="documents")
    kind = models.CharField(_("kind"), max_length=20, choices=DocumentKind)
    file = models.FileField(_("file"), storage=private_storage, upload_to=random_name, max_length=120)
    name = models.CharField(_("file name"), max_length=160)
    content_type = models.CharField(_("type"), max_length=40)
    size = models.IntegerField(_("bytes"))
    sha256 = models.CharField(max_length=64)
    uploaded_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    uploaded_at = models.DateTimeField(_("uploaded"), default=timezone.now)

    objects = models.Manager.from_queryset(ApplicationPartQuerySet)()

    class Meta:
        verbose_name = _("document")
        verbose_name_plural = _("documents")
        ordering: ClassVar[list[str]] = ["kind", "uploaded_at", "pk"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["application", "kind", "sha256"], name="document_once_an_application"
            ),
            models.CheckConstraint(name="document_kind_known", condition=Q(kind__in=DocumentKind.values)),
            models.CheckConstraint(
                name="document_type_known", condition=Q(content_type__in=list(EXTENSIONS))
            ),
            models.CheckConstraint(
                name="document_size_allowed", condition=Q(size__gte=1, size__lte=MAX_BYTES)
            ),
        ]

    def __str__(self) -> str:
        return self.name
