"""Ops' door to the service levels; importing registers."""

from slas.admin import crediting, exporting, judging, revising, scoring, selling

__all__ = ["crediting", "exporting", "judging", "revising", "scoring", "selling"]
