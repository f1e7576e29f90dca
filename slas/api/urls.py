"""API of slas."""

from django.urls import URLPattern, URLResolver, path

import alliance.api.public_ids  # noqa: F401 -- for the kinds of ids in addresses
from slas.api import allocation, breaches, excuses, exports, offers, promises, scorecards, statements
from slas.api.rates import RatesView
from slas.api.tiers import TierListView

app_name = "slas"

urlpatterns: list[URLPattern | URLResolver] = [
    path("tiers", TierListView.as_view(), name="tier_list"),
    path("promises", promises.PromisesView.as_view(), name="promises"),
    path("closures", promises.ClosuresView.as_view(), name="closures"),
    path("offers", offers.OfferListView.as_view(), name="offer_list"),
    path("offers/<off:offer_id>", offers.OfferDetailView.as_view(), name="offer_detail"),
    path("allocation-rules", allocation.AllocationRulesView.as_view(), name="allocation_rules"),
    path("rates", RatesView.as_view(), name="rates"),
    path("exports", exports.ExportListView.as_view(), name="export_list"),
    path("exports/<exp:export_id>", exports.ExportDetailView.as_view(), name="export_detail"),
    path("exports/<exp:export_id>/file", exports.ExportFileView.as_view(), name="export_file"),
    path("scorecards", scorecards.ScorecardListView.as_view(), name="scorecard_list"),
    path("scorecards/<str:month>", scorecards.ScorecardView.as_view(), name="scorecard_detail"),
    path("scorecard-rules", scorecards.ScoreRulesView.as_view(), name="scorecard_rules"),
    path("statements", statements.StatementsView.as_view(), name="statement_list"),
    path("statements/<str:month>", statements.StatementView.as_view(), name="statement_detail"),
    path(
        "statements/<str:month>/entries",
        statements.StatementEntriesView.as_view(),
        name="statement_entries",
    ),
    path("breaches", breaches.BreachesView.as_view(), name="breaches"),
    path("excuses", excuses.ExcusesView.as_view(), name="excuses"),
    path("excuses/<exc:excuse_id>/withdraw", excuses.ExcuseWithdrawView.as_view(), name="excuse_withdraw"),
]
