"""Ops' door to the service levels; importing registers."""

from slas.admin import judging

__all__ = ["judging"]
