"""Ops' door to the service levels; importing registers."""

from slas.admin import (
    closures,
    commitments,
    credits,
    excuses,
    exports,
    offers,
    revisions,
    scorecards,
    watch_list,
)

__all__ = [
    "closures",
    "commitments",
    "credits",
    "excuses",
    "exports",
    "offers",
    "revisions",
    "scorecards",
    "watch_list",
]
