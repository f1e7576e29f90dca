"""All URLs of the product. The access table in the tests lists each one."""

from django.contrib import admin
from django.urls import include, path

from alliance import health
from alliance.web.operators import operators_only
from alliance.web.routes import by_word

urlpatterns = [
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
    path("metrics", operators_only(health.metrics), name="metrics"),
    path("admin/", admin.site.urls),
    path("api/", include("alliance.api.urls")),
    path("accounts/", include("allauth.urls")),
    by_word("", include("alliance.portal.urls")),
    by_word("", include("couriers.portal.urls")),
    by_word("", include("slas.portal.urls")),
    by_word("", include("parcels.portal.urls")),
]

handler400 = "alliance.portal.errors.bad_request"
handler403 = "alliance.portal.errors.permission_denied"
handler404 = "alliance.portal.errors.page_not_found"
# Used by allauth for its own rate limits; Django has no handler429.
handler429 = "alliance.portal.errors.too_many"
handler500 = "alliance.portal.errors.server_error"
