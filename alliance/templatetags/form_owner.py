"""`{% csrf_token %}` of every form: it also says for which organisation the form was opened."""

from typing import Any

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString

from alliance.tenancy import ANONYMOUS, Actor
from alliance.web.form_owner import FIELD, owner_of

register = template.Library()


@register.simple_tag(takes_context=True)
def csrf_token(context: template.Context) -> SafeString | str:
    """Replace Django's tag of this name; settings make it a builtin, so no form can forget it."""
    token = context.get("csrf_token")
    if not token or token == "NOTPROVIDED":  # noqa: S105 -- Django's word for a missing token
        return ""
    actor: Actor = context.get("actor") or ANONYMOUS
    # Each row of a list may have a form of its own.
    kept: Any = context.render_context.dicts[0]
    written: dict[Any, SafeString] = kept.setdefault(csrf_token, {})
    key = str(token), actor.kind, owner_of(actor)
    if key not in written:
        written[key] = hidden_fields(str(token), actor)
    return written[key]


def hidden_fields(token: str, actor: Actor) -> SafeString:
    """The fields that each form of a page carries."""
    field = format_html('<input type="hidden" name="csrfmiddlewaretoken" value="{}">', token)
    if actor.kind != "user":
        return field
    return field + format_html('<input type="hidden" name="{}" value="{}">', FIELD, owner_of(actor))
