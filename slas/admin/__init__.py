"""Ops' door to the service levels; importing registers."""

from slas.admin import exporting, judging, selling

__all__ = ["exporting", "judging", "selling"]
