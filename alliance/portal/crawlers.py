"""What browsers and search engines ask a site for at fixed addresses."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.templatetags.static import static
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_safe

from alliance.web.http import scoped_by_itself

# Messengers read a tracking page when its address is shared, to show a preview; search engines must not.
_ROBOTS = """\
User-agent: facebookexternalhit
User-agent: LinkedInBot
User-agent: Slackbot-LinkExpanding
User-agent: TelegramBot
User-agent: Twitterbot
User-agent: WhatsApp
Allow: /track/
Disallow: /

User-agent: *
Allow: /$
Allow: /track/$
Allow: /accounts/login/
Allow: /accounts/signup/
Allow: /static/
Disallow: /
"""


@scoped_by_itself
@require_safe
@cache_control(max_age=86_400, public=True)
def robots(request: HttpRequest) -> HttpResponse:
    """Keep crawlers to the pages that are the same for everybody; tracking pages also forbid indexing."""
    return HttpResponse(_ROBOTS, content_type="text/plain; charset=utf-8")


@scoped_by_itself
@require_safe
@cache_control(max_age=86_400, public=True)
def favicon(request: HttpRequest) -> HttpResponse:
    """Lead browsers that ask for the icon by its old address to the asset."""
    return redirect(static("img/favicon.ico"))
