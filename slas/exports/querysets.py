"""Reads of exports."""

from alliance.tenancy import TenantQuerySet


class ExportQuerySet(TenantQuerySet):
    """Files of one's own organisation."""
