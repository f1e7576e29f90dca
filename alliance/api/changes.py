"""Pages of docs/ for programs, as text that people and programs read: changes of the API, and test mode."""

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_GET

# What follows is for those who change the product.
_FOR_US = "\n## How it is built"


@require_GET
def changes(_request: HttpRequest) -> HttpResponse:
    return _page("api-changes.md")


@require_GET
def sandbox(_request: HttpRequest) -> HttpResponse:
    return _page("test-mode.md")


def _page(name: str) -> HttpResponse:
    text = (settings.BASE_DIR / "docs" / name).read_text(encoding="utf-8").partition(_FOR_US)[0]
    return HttpResponse(text, content_type="text/plain; charset=utf-8")
