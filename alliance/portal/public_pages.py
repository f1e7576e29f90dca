"""Pages that everybody sees: for a reader without a session, filled like a stencil, frame and all."""

from django.conf import settings
from django.contrib.messages.storage.cookie import CookieStorage
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.cache import patch_vary_headers

from alliance.demo_progress import demo_progress
from alliance.portal.context import addresses
from alliance.portal.theme import chosen_theme
from alliance.web.stencils import Shape, Texts, filled


def public_page(
    request: HttpRequest, template_name: str, texts: Texts, shape: Shape, *, status: int = 200
) -> HttpResponse:
    """Render a page whose variable parts are texts; its templates keep to the rules of stencils.

    Who has a session may have a name, messages and a way back to the portal, so Django renders the page.
    """
    if has_session(request):
        return render(request, template_name, {**shape, **texts}, status=status)
    frame = {**addresses(), "ui_theme": chosen_theme(request), "ui_demo": demo_progress()}
    page = filled(template_name, {**texts, "ui_next": request.get_full_path()}, {**shape, **frame})
    response = HttpResponse(page, status=status)
    patch_vary_headers(response, ("Cookie",))
    return response


def has_session(request: HttpRequest) -> bool:
    """Tell whether a browser may have logged in, or been told something, without looking it up."""
    cookies = request.COOKIES
    return settings.SESSION_COOKIE_NAME in cookies or CookieStorage.cookie_name in cookies
