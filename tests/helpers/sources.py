"""The Python files of our packages, for tests that read them."""

from collections.abc import Iterator
from pathlib import Path

from django.conf import settings

PACKAGES = ("alliance", "couriers", "slas", "parcels")


def modules(package: str) -> Iterator[Path]:
    """Every file of a package but its migrations, which keep what was written once."""
    for path in sorted((settings.BASE_DIR / package).rglob("*.py")):
        if "migrations" not in path.parts:
            yield path
