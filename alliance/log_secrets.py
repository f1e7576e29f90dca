"""Secrets that addresses carry, kept out of the log: who reads it must not be able to use them."""

import re
from collections.abc import MutableMapping
from typing import Any

# Links from mails (new password, confirmation of an address, invitation) and signed downloads; API keys, of
# which the prefix is public.
_SECRETS = (
    re.compile(
        r"(/accounts/(?:password/reset/key|confirm-email)/|/invitations/|/from-shop/)(?!done/|\d+/)[^/?#\s\"']+"
    ),
    re.compile(r"([?&](?:signature|token|key|code|password)=)[^&#\s\"']+"),
    re.compile(r"(\bca_(?:test_)?[0-9a-z]{10}_)[0-9A-Za-z_-]{20,}"),
)


# One of these is in every secret: most texts have none, and looking for the patterns takes ten times as long.
_SIGNS = ("?", "&", "/accounts/", "/invitations/", "/from-shop/", "ca_")


def hide_secrets(text: str) -> str:
    """Replace the secrets of a text, such as an address or a traceback, by an ellipsis."""
    if not any(sign in text for sign in _SIGNS):
        return text
    for secret in _SECRETS:
        text = secret.sub(r"\1…", text)
    return text


def without_secrets(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Hide secrets in all texts of a log line: a processor of structlog."""
    for name, value in event.items():
        if isinstance(value, str):
            event[name] = hide_secrets(value)
    return event
