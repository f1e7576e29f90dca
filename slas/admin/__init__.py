"""The admin of service levels; importing it registers the models."""

from slas.admin import (
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
