"""Password hashing, limited in how much memory it takes at once."""

from functools import lru_cache

from django.conf import settings
from django.contrib.auth.hashers import Argon2PasswordHasher

from alliance.web.admission import Gate

_ALL = "passwords"


class BoundedArgon2PasswordHasher(Argon2PasswordHasher):
    """Argon2, WEB_HASHES passwords at a time in a process: each takes 100 MB, and twenty at once took 2 GB.

    Others wait for their turn, as many as may wait for heavy calls. Raises Unavailable beyond.
    """

    def encode(self, password: str, salt: str) -> str:
        gate = _gate()
        with gate.place(_ALL), gate.slot(_ALL):
            return super().encode(password, salt)

    def verify(self, password: str, encoded: str) -> bool:
        gate = _gate()
        with gate.place(_ALL), gate.slot(_ALL):
            return super().verify(password, encoded)


@lru_cache(maxsize=1)
def _gate() -> Gate:
    places = max(settings.WEB_PLACES, settings.WEB_HASHES)
    return Gate(
        slots=settings.WEB_HASHES,
        places=places,
        # All are counted as one tenant, which may have every place.
        share=places + 1,
        patience=settings.WEB_PATIENCE_SECONDS,
    )
