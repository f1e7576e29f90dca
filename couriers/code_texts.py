"""Audit verbs and objects, event topics and names of periodic tasks: named here, they reach our catalogue."""

from django.utils.translation import gettext_noop

TEXTS = (
    gettext_noop("application.started"),
    gettext_noop("application.saved"),
    gettext_noop("application.submitted"),
    gettext_noop("application.more_needed"),
    gettext_noop("application.approved"),
    gettext_noop("application.rejected"),
    gettext_noop("document.added"),
    gettext_noop("document.removed"),
    gettext_noop("facility.created"),
    gettext_noop("facility.changed"),
    gettext_noop("courier.contact_changed"),
    gettext_noop("courier.change_proposed"),
    gettext_noop("courier.change_withdrawn"),
    gettext_noop("courier.change_approved"),
    gettext_noop("courier.change_declined"),
    gettext_noop("courier.corrected"),
    gettext_noop("courier.homes_changed"),
    gettext_noop("send-application-mails"),
    gettext_noop("forget-orphaned-files"),
    gettext_noop("application"),
    gettext_noop("document"),
    gettext_noop("facility"),
    gettext_noop("courier"),
    # Names of what an entry's detail says.
    gettext_noop("homes"),
    gettext_noop("earlier"),
    gettext_noop("share"),
)
