"""Ops' door to the service levels; importing registers."""

from slas.admin import (
    closures,
    crediting,
    excusing,
    exporting,
    judging,
    revising,
    scoring,
    selling,
    watching,
)

__all__ = [
    "closures",
    "crediting",
    "excusing",
    "exporting",
    "judging",
    "revising",
    "scoring",
    "selling",
    "watching",
]
