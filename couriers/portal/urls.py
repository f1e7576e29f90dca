"""Pages of couriers."""

from django.urls import URLPattern, URLResolver, path

from couriers.portal import applications, company, documents, facilities, service_cities

app_name = "couriers"

urlpatterns: list[URLPattern | URLResolver] = [
    path("application/", applications.application_edit, name="application_edit"),
    path("application/start/", applications.application_start, name="application_start"),
    path("application/status/", applications.application_view, name="application_view"),
    path("application/company/", applications.company_edit, name="company_edit"),
    path("application/contact/", applications.contact_edit, name="contact_edit"),
    path("application/cities/", service_cities.city_list, name="city_list"),
    path("application/cities/add/", service_cities.city_add, name="city_add"),
    path("application/cities/remove/", service_cities.city_remove, name="city_remove"),
    path("application/documents/", documents.document_list, name="document_list"),
    path("application/documents/<int:document_id>/", documents.document_view, name="document_view"),
    path(
        "application/documents/<int:document_id>/remove/",
        documents.document_remove,
        name="document_remove",
    ),
    path("application/review/", applications.application_review, name="application_review"),
    path("application/submit/", applications.application_submit, name="application_submit"),
    path("company/", company.company_data, name="company_data"),
    path("company/contact/", company.company_contact, name="company_contact"),
    path("company/change/", company.change_propose, name="change_propose"),
    path("company/documents/<int:document_id>/replace/", company.document_replace, name="document_replace"),
    path("company/change/<int:change_id>/withdraw/", company.change_withdraw, name="change_withdraw"),
    path("facilities/", facilities.facility_list, name="facility_list"),
]
