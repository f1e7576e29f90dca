"""All models of service levels. They know no parcels, only parcel ids."""

from slas.allocation.models import AllocationRule
from slas.commitments.listings import BreachListing, CommitmentListing
from slas.commitments.models import Breach, Commitment
from slas.credits.models import (
    ClosedMonth,
    CreditCheck,
    CreditEntry,
    CreditFold,
    CreditSchedule,
    CreditSum,
    Statement,
)
from slas.excuses.models import Disruption, Excuse
from slas.exports.models import Export
from slas.forecasts.models import Progress, ProgressTally, WatchItem
from slas.offers.models import CapacityDay, Offer, OfferFile
from slas.promises.models import Closure, ServiceTier, TierVersion
from slas.rates.models import HistogramBin, OnTimeRate, OverdueCount, Tally
from slas.revisions.models import Revision
from slas.scorecards.models import Scorecard, ScoreRules

# Django looks for models here; each is defined in its subject's package.
__all__ = [
    "AllocationRule", "BreachListing", "Breach", "CapacityDay", "ClosedMonth", "Closure", "CommitmentListing",
    "Commitment", "CreditCheck", "CreditEntry", "CreditFold", "CreditSchedule", "CreditSum", "Disruption",
    "Excuse", "Export", "HistogramBin", "Offer", "OfferFile",
    "OnTimeRate", "OverdueCount", "Progress", "ProgressTally", "Revision", "ScoreRules", "Scorecard",
    "ServiceTier", "Statement", "Tally", "TierVersion", "WatchItem",
]  # fmt: skip
