"""The Content-Security-Policy, with a wider one for the admin."""

from collections.abc import Callable, Mapping

from csp.constants import HEADER, SELF, UNSAFE_EVAL, UNSAFE_INLINE
from csp.utils import build_policy
from django.conf import settings
from django.http import HttpRequest, HttpResponseBase

# unfold uses Alpine.js, which evaluates expressions in attributes (unsafe-eval), and its templates have
# style elements and attributes. Scripts are still allowed from our own origin only, so an injected script
# element does not run in the admin either.
ADMIN_POLICY: Mapping[str, list[str]] = {
    "script-src": [SELF, UNSAFE_EVAL],
    "style-src": [SELF, UNSAFE_INLINE],
}
ADMIN_PREFIX = "/admin/"


class ContentSecurityPolicyMiddleware:
    """Send settings.CONTENT_SECURITY_POLICY everywhere, widened under /admin/ by ADMIN_POLICY.

    Both are written once, by django-csp; its own middleware writes the policy anew for each answer.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response
        self._of_pages = build_policy()
        self._of_admin = build_policy(replace=dict(ADMIN_POLICY))

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        is_technical = settings.DEBUG and response.status_code in (404, 500)
        if not is_technical:
            policy = self._of_admin if request.path_info.startswith(ADMIN_PREFIX) else self._of_pages
            response.headers.setdefault(HEADER, policy)
        return response
