"""Join texts by the rules of the active language: Chinese has no space after a full stop."""

import re
from collections.abc import Iterable
from decimal import Decimal
from functools import reduce

from django.utils.translation import gettext, pgettext


def sentences(*texts: str) -> str:
    """Join whole sentences; empty ones are left out."""
    return reduce(_join_sentences, filter(None, texts), "")


def _join_sentences(first: str, second: str) -> str:
    # A pattern instead of a separator: an empty msgstr means "not translated" in a catalogue.
    pattern = pgettext("two sentences", "%(first)s %(second)s")
    return pattern % {"first": first, "second": second} if first else second


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


def money_text(text: str) -> str:
    return gettext("CNY %(amount)s") % {"amount": amount(text)}


def amount(text: str) -> str:
    """Return an amount with thousands separators for display: "-1234.50" becomes "-1,234.50"."""
    return f"{Decimal(text):,}"
