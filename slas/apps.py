from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class SlasConfig(AppConfig):
    """Tiers, offers, promises, commitments and on-time rates."""

    name = "slas"
    verbose_name = _("Service levels")
