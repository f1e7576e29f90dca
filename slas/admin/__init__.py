"""Ops' door to the service levels; importing registers."""

from slas.admin import judging, selling

__all__ = ["judging", "selling"]
