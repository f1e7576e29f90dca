"""The Content-Security-Policy, with a wider one for the admin."""

from collections.abc import Mapping
from typing import Any

from csp.constants import SELF, UNSAFE_EVAL, UNSAFE_INLINE
from csp.middleware import CSPMiddleware, PolicyParts
from django.http import HttpRequest, HttpResponseBase

# unfold uses Alpine.js, which evaluates expressions in attributes (unsafe-eval), and its templates have
# style elements and attributes. Scripts are still allowed from our own origin only, so an injected script
# element does not run in the admin either.
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
