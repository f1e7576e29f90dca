"""Pages of slas."""

from django.urls import URLPattern, URLResolver, path

from slas.portal import (
    allocation,
    breaches,
    excuses,
    exports,
    offer_files,
    offers,
    promise_rules,
    rates,
    scorecards,
    statements,
)

app_name = "slas"

urlpatterns: list[URLPattern | URLResolver] = [
    path("offers/", offers.offer_list, name="offer_list"),
    path("offers/new/", offers.offer_create, name="offer_create"),
    path("offers/upload/", offer_files.offer_upload, name="offer_upload"),
    path("offers/template.csv", offer_files.offer_template, name="offer_template"),
    path("offers/files/<int:file_id>/", offer_files.offer_file, name="offer_file"),
    path("offers/files/<int:file_id>/save/", offer_files.offer_file_save, name="offer_file_save"),
    path("offers/files/<int:file_id>/results.csv", offer_files.offer_file_results, name="offer_file_results"),
    path(
        "offers/files/<int:file_id>/rejected.csv", offer_files.offer_file_rejected, name="offer_file_rejected"
    ),
    path("offers/download/", offers.offer_download, name="offer_download"),
    path("offers/<int:offer_id>/", offers.offer_edit, name="offer_edit"),
    path("offers/<int:offer_id>/sale/", offers.offer_sale, name="offer_sale"),
    path("rules/", allocation.rule_list, name="rule_list"),
    path("rules/new/", allocation.rule_create, name="rule_create"),
    path("rules/<int:rule_id>/", allocation.rule_edit, name="rule_edit"),
    path("rules/<int:rule_id>/move/", allocation.rule_move, name="rule_move"),
    path("rules/<int:rule_id>/switch/", allocation.rule_switch, name="rule_switch"),
    path("rules/<int:rule_id>/delete/", allocation.rule_delete, name="rule_delete"),
    path("rates/", rates.rate_list, name="rate_list"),
    path("rates/download/", rates.rate_download, name="rate_download"),
    path("rates/merchants/", rates.merchant_options, name="merchant_options"),
    path("exports/", exports.export_list, name="export_list"),
    path("exports/<int:export_id>/file/", exports.export_file, name="export_file"),
    path("promises/", promise_rules.promise_rules, name="promise_rules"),
    path("breaches/", breaches.breach_list, name="breach_list"),
    path("excuses/", excuses.excuse_list, name="excuse_list"),
    path("excuses/<int:excuse_id>/evidence/", excuses.excuse_evidence, name="excuse_evidence"),
    path("excuses/<int:excuse_id>/withdraw/", excuses.excuse_withdraw, name="excuse_withdraw"),
    path("scorecards/", scorecards.scorecard_list, name="scorecard_list"),
    path("scorecards/rules/", scorecards.scorecard_rules, name="scorecard_rules"),
    path("scorecards/<str:month>/", scorecards.scorecard_detail, name="scorecard_detail"),
    path("statements/", statements.statement_list, name="statement_list"),
    path("statements/<str:month>/", statements.statement_detail, name="statement_detail"),
    path("statements/<str:month>/csv/", statements.statement_csv, name="statement_csv"),
    path("statements/<str:month>/pdf/", statements.statement_pdf, name="statement_pdf"),
]
