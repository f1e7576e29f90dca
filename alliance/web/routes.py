"""Look routes up by the first word of an address.

Django tries one route after the other, each by a regular expression: at a hundred routes that takes longer
than a light view.
"""

from functools import cached_property
from types import ModuleType
from typing import Any

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


class StaticRoutes:
    """Looks addresses up, and remembers where those lead that are a route as it is written."""

    def __init__(self) -> None:
        self._resolver: URLResolver | None = None
        # As many at most as there are routes.
        self._matches: dict[str, ResolverMatch] = {}

    def resolve(self, path: str) -> ResolverMatch:
        """Return what serves an address; raises Resolver404."""
        resolver = get_resolver()
        if resolver is not self._resolver:
            self._resolver, self._matches = resolver, {}
        match = self._matches.get(path)
        if match is None:
            match = resolver.resolve(path)
            if match.route == path.removeprefix("/"):
                self._matches[path] = match
        return match
