"""Join texts by the rules of the active language: Chinese has no space after a full stop."""

import re
from collections.abc import Iterable
from decimal import Decimal
from functools import reduce

from django.conf import settings
from django.utils.translation import gettext, pgettext

from alliance.identifiers import tracking_number


def sentences(*texts: str) -> str:
    """Join whole sentences; empty ones are left out."""
    return reduce(_join_sentences, filter(None, texts), "")


def _join_sentences(first: str, second: str) -> str:
    if not first:
        return second
    # A pattern instead of a separator: an empty msgstr means "not translated" in a catalogue.
    pattern = pgettext("two sentences", "%(first)s %(second)s")
    return pattern % {"first": first, "second": second}


def listed(texts: Iterable[str]) -> str:
    return pgettext("between the items of a list", ", ").join(texts)


def parted(texts: Iterable[str]) -> str:
    """Join items that may contain commas."""
    return pgettext("between items with commas", "; ").join(texts)


def named(name: object, text: object) -> str:
    """Return a name and a text about it."""
    return pgettext("label and text", "%(label)s: %(text)s") % {"label": name, "text": text}


def code_text(code: str) -> str:
    """An audit verb, a topic or a task's name for people: "parcel.unmasked" is "Parcel unmasked"."""
    text = gettext(code)
    return text if text != code else re.sub(r"[._-]", " ", code).capitalize()


def object_text(object_type: str, object_id: str) -> str:
    """What an audit entry is about: "CA1... Delivery", "Closure 12"."""
    # A commitment is "<parcel id>:<milestone>".
    parcel_id, _colon, part = object_id.partition(":")
    if object_type in ("parcel", "commitment") and parcel_id.isdecimal():
        return f"{tracking_number(int(parcel_id))} {code_text(part) if part else ''}".strip()
    return f"{code_text(object_type)} {object_id}".strip()


def server_zone_text() -> str:
    """The zone of the alliance's own days, for people."""
    zone = settings.TIME_ZONE
    return gettext("Beijing time") if zone == "Asia/Shanghai" else zone.replace("_", " ")


def actor_text(label: str) -> str:
    """An actor of the audit for people: a person's name as it is, a program's label in their language."""
    if match := re.fullmatch(r"([a-z ]+) (\d+)", label):
        # "booking file 1"
        return f"{gettext(match[1])} {match[2]}"
    return gettext(label) if label else label


def kilograms(grams: int) -> str:
    """Format a weight as forms ask for it: 1500 is "1.5"."""
    return f"{Decimal(grams) / 1000:,f}".rstrip("0").rstrip(".") if grams % 1000 else f"{grams // 1000:,}"


def money_text(text: str) -> str:
    return gettext("CNY %(amount)s") % {"amount": amount(text)}


def amount(text: str) -> str:
    """Return an amount with thousands separators for display: "-1234.50" becomes "-1,234.50"."""
    return f"{Decimal(text):,}"
