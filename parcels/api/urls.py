"""API of parcels."""

from django.urls import URLPattern, URLResolver, path

import alliance.api.public_ids  # noqa: F401 -- for the kinds of ids in addresses
from alliance.web.http import around_transaction
from parcels.api import parcels, pickups, webhooks
from parcels.api.booking_files import (
    BookingFileCancelView,
    BookingFileRejectedView,
    BookingFileResultsView,
    BookingFilesView,
    BookingFileView,
)
from parcels.api.breaches import BreachDetailView
from parcels.api.cancelling import ParcelBatchCancelView
from parcels.api.freight import (
    FreightSettleView,
    FreightStatementsView,
    FreightStatementView,
    FreightUnsettleView,
)
from parcels.api.freight_lines import FreightCsvView, FreightLinesView, FreightPdfView, FreightXlsxView
from parcels.api.labels import LabelsView, LabelView
from parcels.api.manifests import (
    ManifestCancelView,
    ManifestDetailView,
    ManifestListView,
    ManifestParcelsView,
    ManifestPdfView,
    ManifestPickUpView,
    ManifestRemarkView,
    ManifestRemoveView,
)
from parcels.api.pickup_addresses import PickupAddressListView
from parcels.api.recipients import RecipientsView, RecipientView
from parcels.api.returns import (
    ReturnApproveView,
    ReturnDeclineView,
    ReturnPolicyView,
    ReturnRequestsView,
    ReturnView,
)
from parcels.api.revisions import RevisionsView
from parcels.api.scans import ScanBatchView
from parcels.api.surcharges import SurchargesView, SurchargeView, SurchargeWithdrawView
from parcels.api.tracking import tracking
from parcels.api.watch_list import WatchView
from parcels.booking_files.reading_ahead import uploaded_workbook

app_name = "parcels"

urlpatterns: list[URLPattern | URLResolver] = [
    path("quotes", parcels.QuoteView.as_view(), name="quote_create"),
    path("pickup-addresses", PickupAddressListView.as_view(), name="pickup_address_list"),
    path("recipients", RecipientsView.as_view(), name="recipient_list"),
    path("recipients/<rcp:recipient_id>", RecipientView.as_view(), name="recipient_detail"),
    path("pickups", pickups.PickupsView.as_view(), name="pickup_list"),
    path("pickups/<pck:pickup_id>", pickups.PickupView.as_view(), name="pickup_detail"),
    path("pickups/<pck:pickup_id>/accept", pickups.PickupAcceptView.as_view(), name="pickup_accept"),
    path("pickups/<pck:pickup_id>/propose", pickups.PickupProposeView.as_view(), name="pickup_propose"),
    path("pickups/<pck:pickup_id>/decline", pickups.PickupDeclineView.as_view(), name="pickup_decline"),
    path("pickups/<pck:pickup_id>/agree", pickups.PickupAgreeView.as_view(), name="pickup_agree"),
    path("pickups/<pck:pickup_id>/keep", pickups.PickupKeepView.as_view(), name="pickup_keep"),
    path("pickups/<pck:pickup_id>/cancel", pickups.PickupCancelView.as_view(), name="pickup_cancel"),
    path("parcels", parcels.ParcelListView.as_view(), name="parcel_list"),
    path("parcels/batch", parcels.ParcelBatchView.as_view(), name="parcel_batch"),
    path("parcels/cancel", ParcelBatchCancelView.as_view(), name="parcel_batch_cancel"),
    path("parcels/labels", LabelsView.as_view(), name="parcel_labels"),
    path(
        "booking-files",
        around_transaction(uploaded_workbook)(BookingFilesView.as_view()),
        name="booking_files",
    ),
    path("booking-files/<bkf:file_id>", BookingFileView.as_view(), name="booking_file"),
    path("booking-files/<bkf:file_id>/cancel", BookingFileCancelView.as_view(), name="booking_file_cancel"),
    path(
        "booking-files/<bkf:file_id>/rejected",
        BookingFileRejectedView.as_view(),
        name="booking_file_rejected",
    ),
    path(
        "booking-files/<bkf:file_id>/results", BookingFileResultsView.as_view(), name="booking_file_results"
    ),
    path("parcels/<str:tracking_number>", parcels.ParcelDetailView.as_view(), name="parcel_detail"),
    path("parcels/<str:tracking_number>/cancel", parcels.ParcelCancelView.as_view(), name="parcel_cancel"),
    path("parcels/<str:tracking_number>/label", LabelView.as_view(), name="parcel_label"),
    path("parcels/<str:tracking_number>/revisions", RevisionsView.as_view(), name="parcel_revisions"),
    path("parcels/<str:tracking_number>/return", ReturnView.as_view(), name="parcel_return"),
    path("return-policy", ReturnPolicyView.as_view(), name="return_policy"),
    path("return-requests", ReturnRequestsView.as_view(), name="return_requests"),
    path("return-requests/<str:tracking_number>/approve", ReturnApproveView.as_view(), name="return_approve"),
    path("return-requests/<str:tracking_number>/decline", ReturnDeclineView.as_view(), name="return_decline"),
    path("manifests", ManifestListView.as_view(), name="manifest_list"),
    path("manifests/<str:manifest_number>", ManifestDetailView.as_view(), name="manifest_detail"),
    path("manifests/<str:manifest_number>/parcels", ManifestParcelsView.as_view(), name="manifest_parcels"),
    path("manifests/<str:manifest_number>/pdf", ManifestPdfView.as_view(), name="manifest_pdf"),
    path("manifests/<str:manifest_number>/pick-up", ManifestPickUpView.as_view(), name="manifest_pick_up"),
    path("manifests/<str:manifest_number>/remove", ManifestRemoveView.as_view(), name="manifest_remove"),
    path("manifests/<str:manifest_number>/cancel", ManifestCancelView.as_view(), name="manifest_cancel"),
    path("manifests/<str:manifest_number>/remark", ManifestRemarkView.as_view(), name="manifest_remark"),
    path("freight-statements", FreightStatementsView.as_view(), name="freight_statement_list"),
    path("freight-statements/<str:month>", FreightStatementView.as_view(), name="freight_statement_detail"),
    path("freight-statements/<str:month>/lines", FreightLinesView.as_view(), name="freight_statement_lines"),
    path("freight-statements/<str:month>/csv", FreightCsvView.as_view(), name="freight_statement_csv"),
    path("freight-statements/<str:month>/xlsx", FreightXlsxView.as_view(), name="freight_statement_xlsx"),
    path("freight-statements/<str:month>/pdf", FreightPdfView.as_view(), name="freight_statement_pdf"),
    path(
        "freight-statements/<str:month>/settle", FreightSettleView.as_view(), name="freight_statement_settle"
    ),
    path(
        "freight-statements/<str:month>/unsettle",
        FreightUnsettleView.as_view(),
        name="freight_statement_unsettle",
    ),
    path("surcharges", SurchargesView.as_view(), name="surcharge_list"),
    path("surcharges/<sur:surcharge_id>", SurchargeView.as_view(), name="surcharge_detail"),
    path(
        "surcharges/<sur:surcharge_id>/withdraw", SurchargeWithdrawView.as_view(), name="surcharge_withdraw"
    ),
    path("webhook-topics", webhooks.TopicsView.as_view(), name="webhook_topics"),
    path("webhooks", webhooks.WebhooksView.as_view(), name="webhook_list"),
    path("webhooks/<whk:webhook_id>", webhooks.WebhookView.as_view(), name="webhook_detail"),
    path("webhooks/<whk:webhook_id>/pause", webhooks.WebhookPauseView.as_view(), name="webhook_pause"),
    path("webhooks/<whk:webhook_id>/resume", webhooks.WebhookResumeView.as_view(), name="webhook_resume"),
    path(
        "webhooks/<whk:webhook_id>/rotate-secret", webhooks.WebhookRotateView.as_view(), name="webhook_rotate"
    ),
    path("webhooks/<whk:webhook_id>/test", webhooks.WebhookTestView.as_view(), name="webhook_test"),
    path(
        "webhooks/<whk:webhook_id>/deliveries",
        webhooks.DeliveriesView.as_view(),
        name="webhook_delivery_list",
    ),
    path(
        "webhooks/<whk:webhook_id>/deliveries/<msg:message_id>",
        webhooks.DeliveryView.as_view(),
        name="webhook_delivery",
    ),
    path(
        "webhooks/<whk:webhook_id>/deliveries/<msg:message_id>/replay",
        webhooks.DeliveryReplayView.as_view(),
        name="webhook_delivery_replay",
    ),
    path("webhooks/<whk:webhook_id>/replays", webhooks.ReplaysView.as_view(), name="webhook_replay_list"),
    path("watch", WatchView.as_view(), name="watch_list"),
    path("breaches/<str:tracking_number>/<str:kind>", BreachDetailView.as_view(), name="breach_detail"),
    path("cities", parcels.CityListView.as_view(), name="city_list"),
    path("scans", ScanBatchView.as_view(), name="scan_batch"),
    path("tracking/<str:tracking_number>", tracking, name="tracking"),
]
