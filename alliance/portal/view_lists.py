"""Lists whose filters users save as views, with the views that everybody has. Apps register their own."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl, urlencode

from django.db.models import QuerySet
from django.urls import reverse
from django.utils.functional import Promise

from alliance.choices import Capability
from alliance.database.written_once import WrittenOnce
from alliance.models import SavedView
from alliance.portal.paging import EVERYTHING, SORT, Asked, Listing
from alliance.registry import Registry
from alliance.tenancy import Actor


@dataclass(frozen=True, slots=True)
class BuiltIn:
    """A view that everybody has: filters of the list, or another list."""

    label: str | Promise
    filters: Mapping[str, str]
    url_name: str = ""


@dataclass(frozen=True, slots=True)
class ViewList:
    """A list with views. `names` are its filters."""

    listing: Listing
    label: str | Promise
    url_name: str
    names: frozenset[str]
    capability: Capability
    built_in: tuple[BuiltIn, ...] = ()

    def url(self, query: str = "") -> str:
        return f"{reverse(self.url_name)}?{query or f'{EVERYTHING}=1'}"

    def cleaned(self, query: str) -> str:
        """Return the parameters of a URL that a view keeps, sorted: filters and sort, and no place."""
        names = {*self.names, SORT}
        return urlencode(sorted((name, value) for name, value in parse_qsl(query) if name in names))


# Name in URLs -> the list.
VIEW_LISTS: Final[Registry[str, ViewList]] = Registry("list with views")


@dataclass(frozen=True, slots=True)
class ViewChip:
    label: str | Promise
    url: str
    active: bool
    # The user's own view; None for one that everybody has.
    view: SavedView | None = None


@dataclass(frozen=True, slots=True)
class Views:
    """What a list shows of its views: a chip for each, and the filters that can be saved."""

    name: str
    chips: list[ViewChip]
    # The present filters and sort, if there are any and no view has them.
    to_save: str

    @property
    def own(self) -> list[ViewChip]:
        return [chip for chip in self.chips if chip.view is not None]


def _views_of(actor: Actor) -> QuerySet[SavedView]:
    return SavedView.objects.visible_to(actor).live().order_by("created_at")


_VIEWS: Final = WrittenOnce(
    lambda user_id, organisation_id: _views_of(Actor(user_id=user_id, organisation_id=organisation_id))
)


@dataclass(frozen=True, slots=True)
class OwnViews:
    """A user's views of a list, read once."""

    name: str
    saved: list[SavedView]

    @classmethod
    def of(cls, actor: Actor, name: str) -> "OwnViews":
        if actor.user_id is None:
            return cls(name, [])
        if actor.organisation_id is None:
            views = list(_views_of(actor))
        else:
            views = _VIEWS.rows(actor.user_id, actor.organisation_id)
        return cls(name, [view for view in views if view.listing == name])

    def default_url(self, query: Mapping[str, str]) -> str:
        """Return the URL of the default view for a list opened without any parameters; else ""."""
        default = next((view for view in self.saved if view.is_default), None)
        return "" if query or default is None else VIEW_LISTS[self.name].url(default.query)

    def chips(self, asked: Asked) -> Views:
        """Return the chips above the list, the one with the present filters marked."""
        view_list = VIEW_LISTS[self.name]
        here = view_list.cleaned(asked.url().removeprefix("?"))
        chips = [
            ViewChip(item.label, reverse(item.url_name), active=False)
            if item.url_name
            else _chip(view_list, item.label, urlencode(sorted(item.filters.items())), here)
            for item in view_list.built_in
        ]
        chips += [_chip(view_list, view.name, view.query, here, view) for view in self.saved]
        is_new = here and not any(chip.active for chip in chips)
        everything = _chip(view_list, view_list.label, "", here)
        return Views(self.name, [everything, *chips], here if is_new else "")


def _chip(
    view_list: ViewList, label: str | Promise, query: str, here: str, view: SavedView | None = None
) -> ViewChip:
    return ViewChip(label, view_list.url(query), query == here, view)
