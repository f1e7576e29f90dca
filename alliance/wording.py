"""Texts put together the way the reader's language does: Chinese writes no space after a full stop."""

import re
from collections.abc import Iterable
from decimal import Decimal
from functools import reduce

from django.utils.translation import gettext, pgettext


def sentences(*texts: str) -> str:
    """Whole sentences, one after the other; empty ones are left out."""
    return reduce(_followed, filter(None, texts), "")


def _followed(first: str, second: str) -> str:
    # A pattern and not a separator: a catalogue cannot say that there is none.
    pattern = pgettext("two sentences", "%(first)s %(second)s")
    return pattern % {"first": first, "second": second} if first else second


def listed(texts: Iterable[str]) -> str:
    return pgettext("between the items of a list", ", ").join(texts)


def parted(texts: Iterable[str]) -> str:
    """Items that may have commas of their own."""
    return pgettext("between items with commas", "; ").join(texts)


def named(name: object, text: object) -> str:
    """What something is, and what there is to say of it."""
    return pgettext("label and text", "%(label)s: %(text)s") % {"label": name, "text": text}


def code_text(code: str) -> str:
    """An audit verb, a topic or a task's name for people: "parcel.unmasked" is "Parcel unmasked"."""
    text = gettext(code)
    return text if text != code else re.sub(r"[._-]", " ", code).capitalize()


def money_text(text: str) -> str:
    return gettext("CNY %(amount)s") % {"amount": amount(text)}


def amount(text: str) -> str:
    """An amount with its thousands grouped, for people to read: "-1234.50" is "-1,234.50"."""
    return f"{Decimal(text):,}"
