"""Reads of statements."""

from alliance.tenancy import TenantQuerySet


class StatementQuerySet(TenantQuerySet):
    """Closed months, each of its own organisation."""
