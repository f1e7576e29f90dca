"""Look routes up by the first word of an address.

Django tries one route after the other, each by a regular expression: at a hundred routes that takes longer
than a light view.
"""

import re
from collections.abc import Iterable, Iterator
from functools import cached_property
from types import ModuleType
from typing import Any, Final

from django.urls import ResolverMatch, URLPattern, URLResolver, get_resolver
from django.urls.exceptions import Resolver404
from django.urls.resolvers import RoutePattern

Route = URLPattern | URLResolver


class RoutesByWord(URLResolver):
    """An include() that tries those of its routes only that can begin with the first word of the address."""

    def resolve(self, path: str) -> Any:
        rest = path.removeprefix(self._prefix)
        if len(rest) + len(self._prefix) != len(path):
            raise Resolver404({"path": path})
        word = rest.partition("/")[0]
        return self._by_word.get(word, self._of_other_words).resolve(path)

    @cached_property
    def _prefix(self) -> str:
        return str(self.pattern)

    @cached_property
    def _by_word(self) -> dict[str | None, URLResolver]:
        return {word: self._only(word) for word in map(_first_word, self.url_patterns)}

    @cached_property
    def _of_other_words(self) -> URLResolver:
        return self._only(None)

    def _only(self, word: str | None) -> URLResolver:
        routes = [route for route in self.url_patterns if _first_word(route) in (word, None)]
        return URLResolver(self.pattern, routes, self.default_kwargs, self.app_name, self.namespace)


def by_word(prefix: str, included: tuple[ModuleType | Any, str | None, str | None]) -> RoutesByWord:
    """Return the routes of an include() below a prefix, like path()."""
    module, app_name, namespace = included
    return RoutesByWord(RoutePattern(prefix), module, app_name=app_name, namespace=namespace)


def _first_word(route: Route) -> str | None:
    """Return the first word of what a route matches; None if there may be any."""
    if not isinstance(route.pattern, RoutePattern):
        return None
    word, slash, _rest = str(route.pattern).partition("/")
    is_whole = bool(slash) or isinstance(route, URLPattern)
    return word if is_whole and "<" not in word else None


# A route of which the last word alone varies.
_LAST_WORD: Final = re.compile(r"(?P<place>[^<]+)/<str:(?P<name>\w+)>")


class StaticRoutes:
    """Looks addresses up, and remembers where those lead that are a route as it is written.

    Also where those lead that differ from one in the last word only, if no other route is at that place.
    """

    def __init__(self) -> None:
        self._resolver: URLResolver | None = None
        # As many at most as there are routes.
        self._matches: dict[str, ResolverMatch] = {}
        self._places: dict[str, tuple[str, ResolverMatch]] = {}

    def resolve(self, path: str) -> ResolverMatch:
        """Return what serves an address; raises Resolver404."""
        resolver = get_resolver()
        if resolver is not self._resolver:
            self._resolver, self._matches, self._places = resolver, {}, {}
        match = self._matches.get(path)
        if match is not None:
            return match
        place, _slash, word = path.rpartition("/")
        if word and place in self._places:
            return _with_last_word(word, *self._places[place])
        match = resolver.resolve(path)
        self._remember(path, match, resolver)
        return match

    def _remember(self, path: str, match: ResolverMatch, resolver: URLResolver) -> None:
        if match.route == path.removeprefix("/"):
            self._matches[path] = match
            return
        varying = _LAST_WORD.fullmatch(match.route)
        if varying and match.kwargs.keys() == {varying["name"]} and _is_alone(match.route, resolver):
            self._places[f"/{varying['place']}"] = varying["name"], match


def _with_last_word(word: str, name: str, match: ResolverMatch) -> ResolverMatch:
    return ResolverMatch(
        match.func,
        (),
        {name: word},
        match.url_name,
        [*match.app_names],
        [*match.namespaces],
        match.route,
        match.tried,
        captured_kwargs={name: word},
    )


def _is_alone(own: str, resolver: URLResolver) -> bool:
    """Whether no other route may serve an address of this one."""
    place = own.partition("<")[0]
    for other in _written(resolver.url_patterns):
        head, varies, _rest = other.partition("<")
        if other != own and (head.startswith(place) or (varies and place.startswith(head))):
            return False
    return True


def _written(routes: Iterable[Route], before: str = "") -> Iterator[str]:
    """Return all routes as they are written; of those that are regular expressions, what is before these."""
    for route in routes:
        text = before + (str(route.pattern) if isinstance(route.pattern, RoutePattern) else "<")
        if isinstance(route, URLResolver):
            yield from _written(route.url_patterns, text)
        else:
            yield text
