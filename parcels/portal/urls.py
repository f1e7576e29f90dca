"""Pages of parcels."""

from django.urls import URLPattern, URLResolver, path

from parcels.portal import (
    addresses,
    booking_columns,
    booking_files,
    bookings,
    breaches,
    cancelling,
    company,
    dashboard,
    dry_runs,
    labels,
    parcel_detail,
    parcel_list,
    parcels_csv,
    scan_files,
    tracking,
    watch_list,
)

app_name = "parcels"

urlpatterns: list[URLPattern | URLResolver] = [
    path("contact/", company.company_contact, name="company_contact"),
    path("dashboard/", dashboard.dashboard_view, name="dashboard_view"),
    path("quote/", bookings.quote_create, name="quote_create"),
    path("quote/cities/", bookings.city_options, name="city_options"),
    path("quote/book/", bookings.parcel_book, name="parcel_book"),
    path("bookings/upload/", booking_files.booking_upload, name="booking_upload"),
    path("bookings/template.csv", booking_files.booking_template, name="booking_template"),
    path("bookings/files/<int:file_id>/", booking_files.booking_file, name="booking_file"),
    path("bookings/files/<int:file_id>/columns/", booking_columns.booking_columns, name="booking_columns"),
    path("bookings/files/<int:file_id>/discard/", booking_columns.booking_discard, name="booking_discard"),
    path(
        "bookings/templates/<int:template_id>/remove/",
        booking_columns.booking_template_remove,
        name="booking_template_remove",
    ),
    path("bookings/files/<int:file_id>/cancel/", booking_files.booking_cancel, name="booking_cancel"),
    path("bookings/files/<int:file_id>/results.csv", booking_files.booking_results, name="booking_results"),
    path(
        "bookings/files/<int:file_id>/results.xlsx",
        booking_files.booking_results_xlsx,
        name="booking_results_xlsx",
    ),
    path(
        "bookings/files/<int:file_id>/rejected.xlsx",
        booking_files.booking_rejected_xlsx,
        name="booking_rejected_xlsx",
    ),
    path(
        "bookings/files/<int:file_id>/problems.csv", booking_files.booking_problems, name="booking_problems"
    ),
    path(
        "bookings/files/<int:file_id>/rejected.csv", booking_files.booking_rejected, name="booking_rejected"
    ),
    path("rules/trials/", dry_runs.dry_run_list, name="dry_run_list"),
    path("rules/trials/<int:run_id>/", dry_runs.dry_run_detail, name="dry_run_detail"),
    path("addresses/", addresses.address_list, name="address_list"),
    path("addresses/add/", addresses.address_add, name="address_add"),
    path("addresses/<int:address_id>/", addresses.address_edit, name="address_edit"),
    path("addresses/<int:address_id>/delete/", addresses.address_delete, name="address_delete"),
    path("addresses/<int:address_id>/restore/", addresses.address_restore, name="address_restore"),
    path("parcels/cancel/", cancelling.cancel_list, name="cancel_list"),
    path("parcels/", parcel_list.parcel_list, name="parcel_list"),
    path("s/<str:number>/", labels.label_open, name="label_open"),
    path("labels/", labels.label_list, name="label_list"),
    path("labels/print/", labels.label_print, name="label_print"),
    path("labels/size/", labels.label_size, name="label_size"),
    path("parcels/export/", parcels_csv.parcel_export, name="parcel_export"),
    path("watch/", watch_list.watch_list, name="watch_list"),
    path("track/", tracking.track_search, name="track_search"),
    path("track/<str:number>/", tracking.track, name="track"),
    path("track/<str:number>/day/", tracking.track_revise, name="track_revise"),
    # Must come after all other pages under /parcels/: <str:number> matches any word.
    path("parcels/<str:number>/", parcel_detail.parcel_detail, name="parcel_detail"),
    path("parcels/<str:number>/label/", labels.label_page, name="label_page"),
    path("parcels/<str:number>/label.png", labels.label_picture, name="label_picture"),
    path("parcels/<str:number>/booked/", bookings.parcel_booked, name="parcel_booked"),
    path("parcels/<str:number>/cancel/", bookings.parcel_cancel, name="parcel_cancel"),
    path("parcels/<str:number>/revise/", parcel_detail.parcel_revise, name="parcel_revise"),
    path("parcels/<str:number>/recipient/", parcel_detail.parcel_unmask, name="parcel_unmask"),
    path("breaches/<str:number>/<str:kind>/", breaches.breach_detail, name="breach_detail"),
    path("scans/upload/", scan_files.scan_upload, name="scan_upload"),
    path("scans/template.csv", scan_files.scan_file_template, name="scan_file_template"),
    path("scans/files/<int:file_id>/", scan_files.scan_file, name="scan_file"),
    path("scans/files/<int:file_id>/results.csv", scan_files.scan_file_results, name="scan_file_results"),
]
