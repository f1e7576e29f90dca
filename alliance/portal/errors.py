"""Error pages. None needs the database, which may be what failed."""

import logging
import sys
from collections.abc import Sequence

from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.html import format_html
from django.utils.http import escape_leading_slashes
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from alliance.choices import OrganisationStatus, Role
from alliance.errors import AllianceError, FieldError, NotAuthenticated
from alliance.portal.theme import chosen_theme
from alliance.tenancy import ANONYMOUS, Actor
from alliance.web.guesses import TooManyGuesses
from alliance.web.outages import outage_of

log = logging.getLogger(__name__)
# Used when rendering the error page itself fails, for example without built assets.
_BARE_PAGE = "<!doctype html><title>{0}</title><h1>{1}</h1><p>{2}</p><p>Request {3}</p>"

_ADVICE = {
    403: gettext_lazy(
        "This page is not available to your role or your kind of organisation. An owner of your "
        "organisation can change your role."
    ),
    404: gettext_lazy(
        "The address may be mistyped, or the page belongs to another organisation or no longer exists."
    ),
}
_ICONS = {
    403: "lock", 404: "map-search", 410: "archive", 413: "file-alert",
    429: "hourglass", 503: "plug-connected-x",
}  # fmt: skip
# Statuses that may pass soon; after a GET, the page has a link to try again.
_PASSING = (429, 500, 503)
# Seconds: allauth's rate limits are per minute, some per three minutes.
_FEW_MINUTES = 180

# Status -> the stable code for programs, as in alliance.errors.
_PROBLEMS = {
    400: "malformed", 403: "not_permitted", 404: "not_found", 405: "method_not_allowed",
    429: "too_many_requests", 500: "server_error", 503: "unavailable",
}  # fmt: skip


def error_page(
    request: HttpRequest,
    status: int,
    *,
    title: str,
    text: str,
    icon: str = "alert-triangle",
    problems: Sequence[FieldError] = (),
    code: str = "",
) -> HttpResponseBase:
    """Return an error page or, under /api/, a problem document."""
    request_id = getattr(request, "request_id", "")
    if f"{request.path}/".startswith("/api/"):
        return _problem(status, code or _PROBLEMS.get(status, "error"), title, text, request_id)
    context = {
        "status": status,
        "heading": title,
        "text": text,
        "icon": icon,
        "request_id": request_id,
        "again": _address(request) if status in _PASSING and request.method == "GET" else "",
        # The text already names the only error.
        "problems": [problem for problem in problems if problem.message != text],
        # What the switches of language and colours need. Another method's address has no page of its own.
        "ui_language_url": reverse("set_language"),
        "ui_theme": chosen_theme(request),
        "ui_theme_url": reverse("set_theme"),
        "ui_next": _address(request) if request.method == "GET" else "/",
    }
    try:
        # Rendered without the request: no context processor runs, so no session or user is read.
        page = render_to_string("error.html", context)
    except Exception:
        log.exception("the error page could not be drawn")
        page = format_html(_BARE_PAGE, status, title, text, request_id)
    return HttpResponse(page, status=status)


def _address(request: HttpRequest) -> str:
    """Return the URL of the page with a single leading slash: "//" would lead to another site."""
    return escape_leading_slashes(request.get_full_path())


def alliance_error(request: HttpRequest, error: AllianceError) -> HttpResponseBase:
    """Return the page of an error that a service raised and no view handled."""
    if isinstance(error, NotAuthenticated):
        return redirect_to_login(request.get_full_path())
    if isinstance(error, TooManyGuesses):
        return _locked_page(request, error)
    title, text = str(error.title), error.detail
    if text == title:
        # Without a detail of its own, the page shows the general advice.
        text = _advice_403(request) if error.status == 403 else str(_ADVICE.get(error.status, text))
    icon = _ICONS.get(error.status, "alert-triangle")
    response = error_page(
        request,
        error.status,
        title=title,
        text=text,
        icon=icon,
        problems=error.errors,
        code=error.reason,
    )
    if error.retry_after is not None:
        response["Retry-After"] = str(error.retry_after)
    return response


def _locked_page(request: HttpRequest, error: TooManyGuesses) -> HttpResponse:
    response = render(request, "account/locked.html", {"text": error.detail}, status=error.status)
    response["Retry-After"] = str(error.retry_after)
    return response


def _advice_403(request: HttpRequest) -> str:
    """Return what the actor can do; the middleware has determined it before a service refused it."""
    actor: Actor = getattr(request, "actor", ANONYMOUS)
    if actor.organisation_status == OrganisationStatus.APPLICANT:
        return _("This page opens when your company is a member. Until then, work on its application.")
    if actor.role == Role.OWNER:
        return _("This page is not available to your kind of organisation.")
    if actor.is_staff:
        return _("Your groups do not allow this. Ask an administrator.")
    return str(_ADVICE[403])


def bad_request(request: HttpRequest, exception: Exception | None = None) -> HttpResponseBase:
    """Handle 400."""
    text = _("Your browser sent a request we could not read. Go back, reload the page and try again.")
    return error_page(request, 400, title=_("We could not read the request"), text=text, icon="file-unknown")


def permission_denied(request: HttpRequest, exception: Exception | None = None) -> HttpResponseBase:
    """Handle 403."""
    return error_page(
        request, 403, title=_("You don't have access to this page"), text=str(_ADVICE[403]), icon=_ICONS[403]
    )


def page_not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponseBase:
    """Handle 404."""
    return error_page(request, 404, title=_("Page not found"), text=str(_ADVICE[404]), icon=_ICONS[404])


def too_many(request: HttpRequest) -> HttpResponseBase:
    """Handle 429 of the account pages, which limit sign-ups, mails and password changes per minute."""
    text = _("Too many requests. Wait a few minutes and try again.")
    response = error_page(request, 429, title=_("Too many attempts"), text=text, icon="lock-pause")
    response["Retry-After"] = str(_FEW_MINUTES)
    return response


def method_not_allowed(request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
    """Give 405 a page, as Django's is blank: a log-in after a POST leads to its URL by GET."""
    if "GET" in response["Allow"]:
        title, text = _("This page can only be read"), _("Nothing was changed. Open the page to read it.")
    else:
        title = _("No page at this address")
        text = _("This address only accepts submitted forms. Open the page with the form and send it again.")
    page = error_page(request, 405, title=title, text=text, icon="map-search")
    page["Allow"] = response["Allow"]
    return page


def server_error(request: HttpRequest) -> HttpResponseBase:
    """Handle 500. An outage of a server we need is a 503 with Retry-After instead."""
    exception = sys.exc_info()[1]
    # Django says of a transaction that it is broken, and names the error that broke it as the cause.
    outage = outage_of(exception) or outage_of(getattr(exception, "__cause__", None))
    if outage is not None:
        return alliance_error(request, outage)
    text = _("The problem is on our side and has been recorded. Try again in a minute.")
    return error_page(request, 500, title=_("Something went wrong"), text=text, icon="plug-connected-x")


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponseBase:
    """Handle a form without a valid CSRF token: from an old tab, or with cookies disabled."""
    text = _(
        "This form has expired, or your browser blocks cookies. Reload the page and send the form "
        "again; nothing was changed."
    )
    return error_page(request, 403, title=_("The form could not be sent"), text=text, icon="shield-x")


def _problem(status: int, code: str, title: str, text: str, request_id: str) -> HttpResponseBase:
    body = {
        "type": f"urn:alliance:problem:{code}",
        "title": title,
        "status": status,
        "detail": text,
        "request_id": request_id,
    }
    return JsonResponse(body, status=status, content_type="application/problem+json")
