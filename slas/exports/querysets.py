"""Reads of exports."""

from alliance.tenancy import TenantQuerySet


class ExportQuerySet(TenantQuerySet):
    """Visible to the file's own organisation."""
