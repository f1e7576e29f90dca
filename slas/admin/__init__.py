"""The admin of service levels; importing it registers the models."""

from slas.admin import (
    allocation,
    closures,
    commitments,
    credits,
    excuses,
    exports,
    offer_files,
    offers,
    revisions,
    scorecards,
    watch_list,
)

__all__ = [
    "allocation",
    "closures",
    "commitments",
    "credits",
    "excuses",
    "exports",
    "offer_files",
    "offers",
    "revisions",
    "scorecards",
    "watch_list",
]
