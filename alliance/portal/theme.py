"""Light or dark pages: as the reader chose, else as their system is. The choice is kept in a cookie."""

from datetime import timedelta

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST

from alliance.web.form_owner import for_any_organisation

COOKIE = "theme"
SYSTEM = "auto"
# Whatever else the cookie says is as good as none.
CHOICES = ("light", "dark")
KEPT = timedelta(days=365)


def chosen_theme(request: HttpRequest) -> str:
    """Return "light", "dark", or "auto" for what the reader's system prefers."""
    theme = request.COOKIES.get(COOKIE, "")
    return theme if theme in CHOICES else SYSTEM


@for_any_organisation
@require_POST
def set_theme(request: HttpRequest) -> HttpResponse:
    """Keep the choice and go back to the page it was made on; without scripts that is a reload."""
    back = request.POST.get("next", "")
    if not url_has_allowed_host_and_scheme(back, allowed_hosts={request.get_host()}):
        back = "/"
    response = redirect(back)
    theme = request.POST.get("theme", "")
    if theme not in CHOICES:
        response.delete_cookie(COOKIE, samesite="Lax")
        return response
    response.set_cookie(
        COOKIE, theme, max_age=KEPT, secure=settings.SESSION_COOKIE_SECURE, httponly=True, samesite="Lax"
    )
    return response
