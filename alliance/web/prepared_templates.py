"""A loader of templates that works out once what is the same on every page.

Most of what a page consists of never changes: labels, icons, addresses of files and pages. Django looks each
of them up for every reader, which takes longer than the rows. Here, once a template is parsed, neighbouring
parts of this kind become one text a language, and variables are looked up without detours. What a template
writes stays the same: what this module does not know for certain is left to Django.
"""

import html
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, TypeVar

from django.template import Context, Template, TemplateDoesNotExist, Variable
from django.template.base import (
    FilterExpression,
    Node,
    NodeList,
    TextNode,
    VariableDoesNotExist,
    VariableNode,
    render_value_in_context,
)
from django.template.defaulttags import CommentNode, LoadNode, URLNode
from django.template.library import SimpleNode
from django.template.loader_tags import IncludeNode
from django.template.loaders.cached import Loader as CachedLoader
from django.template.smartif import TokenBase
from django.templatetags.i18n import BlockTranslateNode, LanguageNode, TranslateNode
from django.templatetags.static import StaticNode
from django.urls import get_script_prefix
from django.utils.safestring import SafeString
from django.utils.translation import get_language

from alliance.web.addresses import plain_address

Tag = TypeVar("Tag", bound=Callable[..., Any])
_MARK: Final = "is_prepared"
_FAILURES: Final = (TypeError, AttributeError, KeyError, ValueError, IndexError)


class Loader(CachedLoader):
    """Django's loader of parsed templates, which prepares each of them."""

    def __init__(self, engine: Any, loaders: Sequence[Any]) -> None:
        super().__init__(engine, loaders)
        # Of several threads, one prepares a template; a template that is included is loaded meanwhile.
        self._lock = threading.RLock()

    def get_template(self, template_name: str, skip: Any = None) -> Template:
        template = super().get_template(template_name, skip)
        if not hasattr(template, _MARK):
            with self._lock:
                if not hasattr(template, _MARK):
                    setattr(template, _MARK, True)
                    _prepare(template.nodelist, self)
        return template

    def is_steady(self, template_name: str) -> bool:
        """Tell whether a template writes the same on every page."""
        try:
            nodes = self.get_template(template_name).nodelist
        except TemplateDoesNotExist:
            return False
        return all(isinstance(node, TextNode | SteadyText) for node in nodes)


def steady(tag: Tag) -> Tag:
    """Mark a simple tag whose text depends on its arguments and the language alone."""
    tag.is_steady = True  # type: ignore[attr-defined]
    return tag


class SteadyText(Node):
    """Neighbouring nodes that write the same on every page of a language."""

    child_nodelists = ()

    def __init__(self, nodes: Sequence[Node]) -> None:
        self.nodes = nodes
        self.token, self.origin = nodes[0].token, nodes[0].origin
        self._texts: dict[Any, str] = {}

    def render(self, context: Context) -> str:
        key = _place(context), context.autoescape
        text = self._texts.get(key)
        if text is None:
            text = self._texts[key] = "".join(str(node.render_annotated(context)) for node in self.nodes)
        return text


class SteadyAddress(Node):
    """`{% url "name" value %}`: what stands around the values in an address is the same on every page."""

    child_nodelists = ()

    def __init__(self, node: URLNode) -> None:
        self.node = node
        self.token, self.origin = node.token, node.origin

    def render(self, context: Context) -> str:
        values = [value.resolve(context) for value in self.node.args]
        address = plain_address(self.node.view_name.var, *values)
        if address is None:
            return self.node.render(context)
        if not self.node.asvar:
            return address
        context[self.node.asvar] = address
        return ""


class SteadyName(Node):
    """`{% translate "…" as name %}`: gives a name to a text that is the same on every page of a language."""

    child_nodelists = ()

    def __init__(self, node: TranslateNode | BlockTranslateNode) -> None:
        self.node, self.name = node, str(node.asvar)
        self.token, self.origin = node.token, node.origin
        self._texts: dict[Any, str] = {}

    def render(self, context: Context) -> str:
        key = _place(context), context.autoescape
        if key not in self._texts:
            self.node.render(context)
            self._texts[key] = context[self.name]
        context[self.name] = self._texts[key]
        return ""


class QuickVariable(Variable):
    """A variable that is looked up in few steps; what fails on the way is left to Django."""

    __slots__ = ()

    def resolve(self, context: Any) -> Any:
        name, *names = self.lookups or ("",)
        # What a context does for `context[name]`, without asking first whether it is there.
        for layer in reversed(getattr(context, "dicts", ())):
            if name in layer:
                break
        else:
            if hasattr(context, name) or name.isdecimal():
                return super().resolve(context)
            # As Django does in the end, after listing what there is.
            raise VariableDoesNotExist("Failed lookup for key [%s] in %r", (name, context))
        value = layer[name]
        try:
            for name in names:
                if callable(value):
                    break
                kind = type(value)
                if kind is dict:
                    if name not in value:
                        break
                    value = value[name]
                elif hasattr(kind, "__getitem__"):
                    try:
                        value = value[name]
                    except _FAILURES:
                        value = getattr(value, name)
                else:
                    value = getattr(value, name)
            else:
                if not callable(value):
                    return value
        except Exception:  # noqa: BLE001 -- Django knows which of them to pass over
            return super().resolve(context)
        return super().resolve(context)


class QuickVariableNode(VariableNode):
    """A variable that is written; most are texts."""

    def render(self, context: Context) -> str:
        value = self.filter_expression.resolve(context)
        kind = type(value)
        if kind is SafeString:
            return value
        if kind is str and context.autoescape:
            return html.escape(value)
        return render_value_in_context(value, context)


def _place(context: Context) -> tuple[str | None, str]:
    """Return the language of a page, and the path under which the product is served."""
    # Kept for the whole page: to ask takes longer than to answer.
    kept: Any = context.render_context.dicts[0]
    place: tuple[str | None, str] | None = kept.get(_place)
    if place is None:
        place = kept[_place] = get_language(), get_script_prefix()
    return place


def _prepare(nodes: NodeList, loader: Loader) -> None:
    for node in nodes:
        # Its nodes are in another language than the page, which is asked for only once.
        if not isinstance(node, LanguageNode):
            _quicken([*vars(node).values()], loader)
    nodes[:] = list(_joined(nodes, loader))


def _quicken(part: Any, loader: Loader) -> None:
    """Prepare what a node consists of: lists of nodes, conditions, expressions."""
    if isinstance(part, NodeList):
        _prepare(part, loader)
    elif isinstance(part, list | tuple):
        for item in part:
            _quicken(item, loader)
    elif isinstance(part, dict):
        _quicken([*part.values()], loader)
    elif isinstance(part, TokenBase):
        _quicken([*vars(part).values()], loader)
    elif isinstance(part, FilterExpression):
        _quicken([part.var, part.filters], loader)
    elif type(part) is Variable and part.lookups is not None:
        part.__class__ = QuickVariable


def _joined(nodes: NodeList, loader: Loader) -> Iterator[Node]:
    run: list[Node] = []
    for node in nodes:
        if _is_steady(node, loader):
            run.append(node)
            continue
        yield from _as_text(run)
        run = []
        if isinstance(node, TranslateNode | BlockTranslateNode) and node.asvar and _is_literal(node):
            yield SteadyName(node)
        elif isinstance(node, URLNode) and node.args and not node.kwargs and _is_constant(node.view_name):
            yield SteadyAddress(node)
        else:
            if type(node) is VariableNode:
                node.__class__ = QuickVariableNode
            yield node
    yield from _as_text(run)


def _as_text(run: list[Node]) -> list[Node]:
    if all(isinstance(node, TextNode | LoadNode | CommentNode) for node in run):
        text = "".join(node.s for node in run if isinstance(node, TextNode))
        return [TextNode(text)] if text else []
    return [SteadyText(run)]


def _is_steady(node: Node, loader: Loader) -> bool:
    match node:
        case TextNode() | LoadNode() | CommentNode() | SteadyText():
            return True
        case TranslateNode() | BlockTranslateNode():
            return not node.asvar and _is_literal(node)
        case StaticNode():
            return node.varname is None and _is_constant(node.path)
        case URLNode():
            return node.asvar is None and not node.args and not node.kwargs and _is_constant(node.view_name)
        case IncludeNode():
            is_plain = not node.extra_context and not node.isolated_context and _is_constant(node.template)
            return is_plain and loader.is_steady(node.template.var)
        case SimpleNode():
            return (
                hasattr(node.func, "is_steady")
                and node.target_var is None
                and all(map(_is_constant, [*node.args, *node.kwargs.values()]))
            )
    return False


def _is_literal(node: TranslateNode | BlockTranslateNode) -> bool:
    """Tell whether a text to translate has no values in it."""
    if node.message_context is not None and not _is_constant(node.message_context):
        return False
    if isinstance(node, TranslateNode):
        return _is_constant(node.filter_expression)
    has_values = node.extra_context or node.plural or node.render_token_list(node.singular)[1]
    return not has_values


def _is_constant(expression: Any) -> bool:
    if not isinstance(expression, FilterExpression) or expression.filters:
        return False
    return not expression.is_var or expression.var.lookups is None
