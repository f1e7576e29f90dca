"""URLs of the REST API: version 1, its schema, and its documentation."""

from django.urls import include, path
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView

from alliance.api import downloads
from alliance.api.changes import changes, sandbox
from alliance.api.root import RootView
from alliance.web.routes import by_word

app_name = "api"

urlpatterns = [
    path("v1/", RootView.as_view(), name="root"),
    by_word("v1/", include("slas.api.urls")),
    by_word("v1/", include("parcels.api.urls")),
    path("schema/", SpectacularAPIView.as_view(), name="schema"),
    path("changes/", changes, name="changes"),
    path("test-mode/", sandbox, name="test_mode"),
    path("requests.http", downloads.requests_file, name="requests_file"),
    path("postman.json", downloads.postman_file, name="postman_file"),
    path("docs/", SpectacularSwaggerSplitView.as_view(url_name="api:schema"), name="docs"),
]
