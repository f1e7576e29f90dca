"""The personal data in the text columns of service levels: see `alliance.personal_data`."""

from typing import Final

from alliance.personal_data import Holds

PERSONAL_DATA: Final[dict[Holds, str]] = {
    Holds.RECIPIENT: """
        slas.Excuse.note slas.Excuse.evidence slas.Excuse.evidence_name slas.Excuse.decision_note
        slas.Revision.reason
    """,
    Holds.ACCOUNT: """
        slas.Export.label slas.Revision.label
    """,
    Holds.NOTHING: """
        slas.AllocationRule.name slas.AllocationRule.origin_province slas.AllocationRule.destination_province
        slas.AllocationRule.reference_prefix slas.AllocationRule.couriers
        slas.AllocationRule.origin_country slas.AllocationRule.destination_country
        slas.BreachListing.key slas.CommitmentListing.key
        slas.Closure.country slas.Closure.province slas.Closure.name
        slas.CreditSchedule.bands
        slas.Disruption.name slas.Disruption.country slas.Disruption.province
        slas.OfferFile.name slas.OfferFile.content slas.OfferFile.encoding slas.OfferFile.language
        slas.OfferFile.problem
        slas.Export.language slas.Export.position slas.Export.file slas.Export.problem
        slas.ScoreRules.weights slas.ScoreRules.bands slas.ScoreRules.grades slas.ScoreRules.note
        slas.Scorecard.components
        slas.ServiceTier.name_en slas.ServiceTier.name_zh
        slas.TierVersion.cut_offs slas.TierVersion.delivery_weekdays slas.TierVersion.weight_bands
    """,
}
