"""Audit verbs and objects, event topics and names of periodic tasks: named here, they reach our catalogue."""

from django.utils.translation import gettext_noop

TEXTS = (
    gettext_noop("organisation.created"),
    gettext_noop("member.set"),
    gettext_noop("member.removed"),
    gettext_noop("member.invited"),
    gettext_noop("member.joined"),
    gettext_noop("member.left"),
    gettext_noop("invitation.declined"),
    gettext_noop("invitation.withdrawn"),
    gettext_noop("organisation.suspended"),
    gettext_noop("organisation.reinstated"),
    gettext_noop("api_key.created"),
    gettext_noop("api_key.revoked"),
    gettext_noop("beat"),
    gettext_noop("heartbeat"),
    gettext_noop("partitions"),
    gettext_noop("send-mails"),
    gettext_noop("forget-idempotency-keys"),
    gettext_noop("forget-old-events"),
    gettext_noop("forget-visits"),
    gettext_noop("organisation"),
    gettext_noop("member"),
    gettext_noop("invitation"),
    gettext_noop("api_key"),
    gettext_noop("celery.backend_cleanup"),
)
