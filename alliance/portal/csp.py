"""The Content-Security-Policy, and the one place where it is wider."""

from collections.abc import Mapping
from typing import Any

from csp.constants import SELF, UNSAFE_EVAL, UNSAFE_INLINE
from csp.middleware import CSPMiddleware, PolicyParts
from django.http import HttpRequest, HttpResponseBase

# django-unfold runs on Alpine.js, which evaluates the expressions in its attributes (eval) and
# comes with style elements and attributes in its templates. Scripts still come from us alone:
# an injected script element stays dead, in the admin too.
ADMIN_POLICY: Mapping[str, list[str]] = {
    "script-src": [SELF, UNSAFE_EVAL],
    "style-src": [SELF, UNSAFE_INLINE],
}
ADMIN_PREFIX = "/admin/"


class ContentSecurityPolicyMiddleware(CSPMiddleware):
    """Send settings.CONTENT_SECURITY_POLICY everywhere, widened under /admin/ by ADMIN_POLICY."""

    def get_policy_parts(
        self, request: HttpRequest, response: HttpResponseBase, report_only: bool = False
    ) -> PolicyParts:
        parts: PolicyParts = super().get_policy_parts(request, response, report_only)
        if request.path_info.startswith(ADMIN_PREFIX):
            replace: dict[str, Any] = {**ADMIN_POLICY, **(parts.replace or {})}
            parts.replace = replace
        return parts
