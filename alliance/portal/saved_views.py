"""Pages of a user's views of lists: save, rename, choose the default, delete and restore."""

from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_POST

from alliance.errors import Conflict, InvalidInput, NotFound
from alliance.models import SavedView
from alliance.portal.forms import add_service_errors
from alliance.portal.undo import offer_undo
from alliance.portal.view_lists import VIEW_LISTS, ViewList
from alliance.saved_views import services
from alliance.tenancy import require
from alliance.web.requests import ActorRequest


class ViewForm(forms.Form):
    name = forms.CharField(label=gettext_lazy("Name of the view"))
    is_default = forms.BooleanField(label=gettext_lazy("Open the list with this view"), required=False)
    query = forms.CharField(required=False, widget=forms.HiddenInput)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def view_list(request: ActorRequest, listing: str) -> HttpResponse:
    """Show a user's views of a list; save the filters of the URL as another."""
    found = _view_list(request, listing)
    form = ViewForm(request.POST if request.method == "POST" else None, initial=request.GET.dict())
    if request.method == "POST" and form.is_valid() and (view := _try_to_save(request, listing, form)):
        messages.success(request, _("The view “%(name)s” was saved.") % {"name": view.name})
        return redirect(found.url(view.query))
    return _page(request, listing, form)


@require_POST
@login_required
def view_rename(request: ActorRequest, listing: str, view_id: int) -> HttpResponse:
    """Give a view another name."""
    _view_list(request, listing)
    try:
        view = services.rename_view(actor=request.actor, view_id=view_id, name=request.POST.get("name", ""))
    except InvalidInput as error:
        context = {
            "renamed_id": view_id,
            "typed": request.POST.get("name", ""),
            "problem": error.errors[0].message,
        }
        return _page(request, listing, ViewForm(), context)
    messages.success(request, _("The view is called “%(name)s” now.") % {"name": view.name})
    return redirect("view_list", listing)


@require_POST
@login_required
def view_default(request: ActorRequest, listing: str, view_id: int) -> HttpResponse:
    """Open the list with a view from now on, or no longer."""
    _view_list(request, listing)
    is_default = request.POST.get("is_default") == "1"
    view = services.choose_default(actor=request.actor, view_id=view_id, is_default=is_default)
    text = _("The list opens with “%(name)s” now.") if is_default else _("The list opens with all rows now.")
    messages.success(request, text % {"name": view.name})
    return redirect("view_list", listing)


@require_POST
@login_required
def view_delete(request: ActorRequest, listing: str, view_id: int) -> HttpResponse:
    """Delete a view at once; it can be restored."""
    _view_list(request, listing)
    view = services.delete_view(actor=request.actor, view_id=view_id)
    text = _("The view “%(name)s” was deleted.") % {"name": view.name}
    offer_undo(request, text, "view_restore", listing, view.pk)
    return redirect("view_list", listing)


@require_POST
@login_required
def view_restore(request: ActorRequest, listing: str, view_id: int) -> HttpResponse:
    """Take the deletion of a view back."""
    _view_list(request, listing)
    try:
        view = services.restore_view(actor=request.actor, view_id=view_id)
        messages.success(request, _("The view “%(name)s” is back.") % {"name": view.name})
    except Conflict as error:
        messages.error(request, error.detail)
    return redirect("view_list", listing)


def _view_list(request: ActorRequest, listing: str) -> ViewList:
    found = VIEW_LISTS.get(listing)
    if found is None:
        raise NotFound
    require(request.actor, found.capability)
    return found


def _try_to_save(request: ActorRequest, listing: str, form: ViewForm) -> SavedView | None:
    data = form.cleaned_data
    query = VIEW_LISTS[listing].cleaned(data["query"])
    if not query:
        form.add_error(None, _("Filter or sort the list first: there is nothing to save."))
        return None
    try:
        return services.save_view(
            actor=request.actor,
            listing=listing,
            name=data["name"],
            query=query,
            is_default=data["is_default"],
        )
    except InvalidInput as error:
        add_service_errors(form, error)
    except Conflict as error:
        form.add_error(None, error.detail)
    return None


def _page(
    request: ActorRequest, listing: str, form: ViewForm, more: dict[str, Any] | None = None
) -> HttpResponse:
    found = VIEW_LISTS[listing]
    query = found.cleaned(str(form["query"].value() or ""))
    views = SavedView.objects.visible_to(request.actor).live().filter(listing=listing)
    context = {
        "listing": listing,
        "label": found.label,
        "list_url": found.url(),
        "form": form if query or form.is_bound else None,
        "query": query,
        "views": [(view, found.url(view.query)) for view in views.order_by("created_at")],
        **(more or {}),
    }
    status = 422 if form.errors or more else 200
    return render(request, "alliance/view_list.html", context, status=status)
