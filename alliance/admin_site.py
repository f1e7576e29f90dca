"""The admin's site, with the portal's pages for passwords."""

from typing import Any

from allauth.account import views as account_views
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import redirect
from unfold.sites import UnfoldAdminSite


class AllianceAdminSite(UnfoldAdminSite):
    """Asks for passwords on the portal's pages only, where wrong ones are counted."""

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponseBase:
        """Show the portal's log-in page; it leads back to the page that was asked for, or to the start."""
        if self.has_permission(request):
            return redirect("admin:index")
        if request.user.is_authenticated:
            # Logging in once more would lead here again.
            raise PermissionDenied
        response: HttpResponseBase = account_views.login(request)
        return response

    def password_change(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponseBase:
        return redirect("account_change_password")

    def password_change_done(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponseBase:
        return redirect("admin:index")
