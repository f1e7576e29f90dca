"""Ops' door to the service levels; importing registers."""

from slas.admin import crediting, excusing, exporting, judging, revising, scoring, selling, watching

__all__ = ["crediting", "excusing", "exporting", "judging", "revising", "scoring", "selling", "watching"]
