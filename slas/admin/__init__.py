"""Ops' door to the service levels; importing registers."""

from slas.admin import exporting, judging, revising, selling

__all__ = ["exporting", "judging", "revising", "selling"]
