"""Save, rename, delete and restore a user's views of lists."""

from datetime import datetime, timedelta
from typing import Final

from django.utils import timezone
from django.utils.translation import gettext as _

from alliance.errors import Conflict, FieldError, InvalidInput, NotFound, NotPermitted
from alliance.models import SavedView, User
from alliance.saved_views.models import NAME_LENGTH, QUERY_LENGTH
from alliance.saved_views.querysets import SavedViewQuerySet
from alliance.tenancy import Actor
from alliance.texts import has_unprintable, one_line

# Views of one list: more would not fit above it.
MOST_VIEWS: Final = 20
# How long a deleted view can be restored.
RESTORABLE_FOR: Final = timedelta(hours=1)


def save_view(*, actor: Actor, listing: str, name: str, query: str, is_default: bool = False) -> SavedView:
    """Keep the filters of a list under a name. Raises InvalidInput for a wrong or taken name, Conflict for
    one view too many."""
    views = _locked_views(actor).live().filter(listing=listing)
    if views.count() >= MOST_VIEWS:
        raise Conflict(_("You have %(n)d views of this list: delete one first.") % {"n": MOST_VIEWS})
    if len(query) > QUERY_LENGTH:
        raise Conflict(_("These filters are too long to be saved."))
    name = _checked(name, views)
    if is_default:
        views.update(is_default=False)
    view: SavedView = SavedView.objects.create(
        organisation_id=actor.organisation_id,
        user_id=actor.user_id or 0,
        listing=listing,
        name=name,
        query=query,
        is_default=is_default,
    )
    return view


def rename_view(*, actor: Actor, view_id: int, name: str) -> SavedView:
    """Give a view another name. Raises InvalidInput for a wrong or taken name."""
    views = _locked_views(actor).live()
    view = _view(views, view_id)
    view.name = _checked(name, views.filter(listing=view.listing).exclude(pk=view.pk))
    view.save(update_fields=["name"])
    return view


def choose_default(*, actor: Actor, view_id: int, is_default: bool) -> SavedView:
    """Open a list with a view from now on, or no longer."""
    views = _locked_views(actor).live()
    view = _view(views, view_id)
    views.filter(listing=view.listing).update(is_default=False)
    view.is_default = is_default
    view.save(update_fields=["is_default"])
    return view


def delete_view(*, actor: Actor, view_id: int, now: datetime | None = None) -> SavedView:
    """Delete a view; for an hour it can be restored. Views deleted longer ago leave the database."""
    now = now or timezone.now()
    views = _locked_views(actor)
    views.filter(deleted_at__lt=now - RESTORABLE_FOR).delete()
    view = _view(views.live(), view_id)
    view.deleted_at = now
    view.save(update_fields=["deleted_at"])
    return view


def restore_view(*, actor: Actor, view_id: int, now: datetime | None = None) -> SavedView:
    """Take the deletion of a view back; doing it again changes nothing.

    Raises NotFound for one deleted too long ago, and Conflict if its name or its place was taken meanwhile.
    """
    now = now or timezone.now()
    views = _locked_views(actor)
    view = _view(views.exclude(deleted_at__lt=now - RESTORABLE_FOR), view_id)
    if view.deleted_at is None:
        return view
    others = views.live().filter(listing=view.listing)
    if others.filter(name=view.name).exists():
        raise Conflict(_("There is another view “%(name)s” by now.") % {"name": view.name})
    if others.count() >= MOST_VIEWS:
        raise Conflict(_("You have %(n)d views of this list: delete one first.") % {"n": MOST_VIEWS})
    view.deleted_at = None
    view.is_default = view.is_default and not others.filter(is_default=True).exists()
    view.save(update_fields=["deleted_at", "is_default"])
    return view


def _locked_views(actor: Actor) -> SavedViewQuerySet:
    # Two requests at once would not count each other's views.
    if actor.user_id is None:
        raise NotPermitted
    User.objects.select_for_update(no_key=True).get(pk=actor.user_id)
    views: SavedViewQuerySet = SavedView.objects.visible_to(actor)
    return views


def _view(views: SavedViewQuerySet, view_id: int) -> SavedView:
    view: SavedView | None = views.filter(pk=view_id).first()
    if view is None:
        raise NotFound
    return view


def _checked(name: str, others: SavedViewQuerySet) -> str:
    name = one_line(name)
    problem = None
    if not name:
        problem = (_("Enter a name for the view."), "required")
    elif len(name) > NAME_LENGTH:
        problem = (_("Use at most %d characters.") % NAME_LENGTH, "max_length")
    elif has_unprintable(name):
        problem = (_("This name has characters that cannot be shown."), "invalid")
    elif others.filter(name=name).exists():
        problem = (_("You have a view of this name already."), "unique")
    if problem:
        raise InvalidInput(errors=[FieldError("/name", *problem)])
    return name
