"""Pages of couriers."""

from django.urls import URLPattern, URLResolver, path

from couriers.portal import applications as views
from couriers.portal import documents as document_views
from couriers.portal import facilities as facility_views
from couriers.portal import service_cities as city_views

app_name = "couriers"

urlpatterns: list[URLPattern | URLResolver] = [
    path("application/", views.application_edit, name="application_edit"),
    path("application/start/", views.application_start, name="application_start"),
    path("application/status/", views.application_view, name="application_view"),
    path("application/company/", views.company_edit, name="company_edit"),
    path("application/contact/", views.contact_edit, name="contact_edit"),
    path("application/cities/", city_views.city_list, name="city_list"),
    path("application/cities/add/", city_views.city_add, name="city_add"),
    path("application/cities/remove/", city_views.city_remove, name="city_remove"),
    path("application/documents/", document_views.document_list, name="document_list"),
    path("application/documents/<int:document_id>/", document_views.document_view, name="document_view"),
    path(
        "application/documents/<int:document_id>/remove/",
        document_views.document_remove,
        name="document_remove",
    ),
    path("application/review/", views.application_review, name="application_review"),
    path("application/submit/", views.application_submit, name="application_submit"),
    path("facilities/", facility_views.facility_list, name="facility_list"),
]
