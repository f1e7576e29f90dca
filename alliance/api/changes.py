"""The page of changes of the API, as it stands in docs/: text that people and programs read."""

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_GET


@require_GET
def changes(_request: HttpRequest) -> HttpResponse:
    text = (settings.BASE_DIR / "docs" / "api-changes.md").read_text(encoding="utf-8")
    return HttpResponse(text, content_type="text/plain; charset=utf-8")
