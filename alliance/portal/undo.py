"""Undo: what can be taken back is done at once, and the message about it has a button that takes it back.

What cannot be taken back (revoking a key, removing a member, deleting a document) is asked about first.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.contrib.messages.storage.base import Message
from django.http import HttpRequest
from django.urls import reverse

_TAG = "undo "


@dataclass(frozen=True, slots=True)
class Undo:
    """The request that takes an action back."""

    url: str
    fields: Mapping[str, str]


def offer_undo(request: HttpRequest, text: str, url_name: str, *args: object, **fields: str) -> None:
    """Say that an action was done; the message has a button that posts the fields to a page."""
    undo = json.dumps({"url": reverse(url_name, args=args), "fields": fields})
    messages.success(request, text, extra_tags=f"{_TAG}{undo}")


def undo_of(message: Message) -> Undo | None:
    """Return how the action of a message is taken back, if it can be."""
    tags: Any = message.extra_tags or ""
    return Undo(**json.loads(tags.removeprefix(_TAG))) if tags.startswith(_TAG) else None
