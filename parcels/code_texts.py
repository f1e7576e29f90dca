"""Audit verbs, event topics and names of periodic tasks: named here, they reach our catalogue."""

from django.utils.translation import gettext_noop

TEXTS = (
    gettext_noop("parcel.booked"),
    gettext_noop("parcels.booked"),
    gettext_noop("parcel.cancelled"),
    gettext_noop("parcel.status_changed"),
    gettext_noop("parcel.unmasked"),
    gettext_noop("parcel.erased"),
    gettext_noop("parcels.exported"),
    gettext_noop("pickup_address.added"),
    gettext_noop("pickup_address.changed"),
    gettext_noop("pickup_address.deleted"),
    gettext_noop("booking_file.received"),
    gettext_noop("booking_file.done"),
    gettext_noop("booking_file.cancelled"),
    gettext_noop("scan_file.received"),
    gettext_noop("history.imported"),
    gettext_noop("month.leaving"),
    gettext_noop("month.retired"),
    gettext_noop("erase-recipients"),
    gettext_noop("refresh-watch-list"),
    gettext_noop("resume-booking-files"),
    gettext_noop("forget-booking-files"),
    gettext_noop("resume-scan-files"),
    gettext_noop("trace-lost-parcels"),
    gettext_noop("demo"),
)
