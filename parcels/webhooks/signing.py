"""Secrets of endpoints, and what they sign."""

import base64
import secrets
from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Final

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings
from standardwebhooks import Webhook

PREFIX: Final = "whsec_"
_BYTES: Final = 32
_PURPOSE: Final = b"alliance.webhooks.secrets"


class SecretUnreadable(Exception):
    """A secret was sealed by a SECRET_KEY that is not known any more."""


def new_secret() -> str:
    return PREFIX + base64.b64encode(secrets.token_bytes(_BYTES)).decode()


def sealed(secret: str) -> str:
    """Encrypt a secret for the database: whoever reads a backup cannot sign as we do."""
    return _boxes(_keys()).encrypt(secret.encode()).decode()


def opened(text: str) -> str:
    """Decrypt a secret. Raises SecretUnreadable if SECRET_KEY was changed without keeping the one before."""
    try:
        return _boxes(_keys()).decrypt(text.encode()).decode()
    except InvalidToken:
        raise SecretUnreadable from None


def headers_of(
    message_id: str, at: datetime, body: str, signers: Sequence[Webhook]
) -> list[tuple[bytes, bytes]]:
    """Return the headers of Standard Webhooks 1.0: one signature for each secret."""
    signatures = " ".join(signer.sign(message_id, at, body) for signer in signers)
    return [
        (b"webhook-id", message_id.encode()),
        (b"webhook-timestamp", str(int(at.timestamp())).encode()),
        (b"webhook-signature", signatures.encode()),
    ]


def signers_of(sealed_secrets: Iterable[str]) -> list[Webhook]:
    return [Webhook(opened(text)) for text in sealed_secrets]


def _keys() -> tuple[str, ...]:
    return (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)


@lru_cache(maxsize=4)
def _boxes(keys: tuple[str, ...]) -> MultiFernet:
    return MultiFernet([Fernet(_derived(key)) for key in keys])


def _derived(key: str) -> bytes:
    hkdf = HKDF(algorithm=SHA256(), length=32, salt=None, info=_PURPOSE)
    return base64.urlsafe_b64encode(hkdf.derive(key.encode()))
