"""The admin's site: the portal's pages for passwords, and a search that finds what ops look for."""

from collections.abc import Iterator
from typing import Any

from allauth.account import views as account_views
from django.core.exceptions import PermissionDenied
from django.core.paginator import InvalidPage
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from unfold.dataclasses import SearchResult
from unfold.sites import UnfoldAdminSite

from alliance.errors import NotFound


class FindableMixin:
    """An admin whose rows the site's search finds."""

    # How many of them it shows.
    MOST_FOUND_EVERYWHERE = 5

    def find(self, request: HttpRequest, term: str) -> Any:
        """Return the rows that a term names, best first."""
        raise NotImplementedError

    def found(self, request: HttpRequest, term: str) -> Iterator[SearchResult]:
        opts = self.opts  # type: ignore[attr-defined]
        for row in self.find(request, term)[: self.MOST_FOUND_EVERYWHERE]:
            link = reverse(f"admin:{opts.app_label}_{opts.model_name}_change", args=[row.pk])
            yield SearchResult(
                title=str(row),
                description=str(opts.verbose_name),
                link=link,
                icon=self.icon_found,  # type: ignore[attr-defined]
            )


class OpsSite(UnfoldAdminSite):
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

    def search(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Answer the sidebar's search box: rows before pages."""
        try:
            response = super().search(request, extra_context)
        except InvalidPage:
            raise NotFound from None
        term = request.GET.get("s", "").replace("\0", "").strip()
        # Of one letter everything would be found.
        if not isinstance(response, TemplateResponse) or len(term) < 2:
            return response
        found = [
            result
            for listing in self._registry.values()
            if isinstance(listing, FindableMixin) and listing.has_view_permission(request)  # type: ignore[attr-defined]
            for result in listing.found(request, term)
        ]
        context = response.context_data or {}
        response.context_data = context | {"results": [*found, *context["results"]]}
        return response
