"""Prepared templates write what Django's own do, and have less to do for it."""

from dataclasses import dataclass
from typing import Any

import pytest
from django.template import Context, Engine
from django.template.base import TextNode
from django.template.loader_tags import IncludeNode
from django.urls import set_script_prefix
from django.utils.safestring import mark_safe
from django.utils.translation import override

from alliance.web.prepared_templates import QuickVariableNode, SteadyAddress, SteadyName, SteadyText

_LOCMEM = "django.template.loaders.locmem.Loader"
_LIBRARIES = {
    "i18n": "django.templatetags.i18n",
    "static": "django.templatetags.static",
    "ui": "alliance.templatetags.ui",
    "tz": "django.templatetags.tz",
}
PARTS = {
    "steady.html": "{% load i18n ui %}{% translate 'Log in' %}{% icon 'x' %}",
    "named.html": "{% load i18n %}{% translate 'Log in' as title %}{{ title }}{{ name }}",
    "base.html": "{% load i18n %}<h1>{% block title %}{% translate 'Parcel' %}{% endblock %}</h1>"
    "{% block body %}{% endblock %}",
}


@dataclass
class Shop:
    name: str = "R&D <Tea>"
    number: str = "CA1"

    @property
    def broken(self) -> str:
        raise AttributeError("odd")

    def title(self) -> str:
        return self.name.upper()

    def delete(self) -> str:
        raise RuntimeError("a template must not call it")

    delete.alters_data = True  # type: ignore[attr-defined]


def _engine(loader: str) -> Engine:
    return Engine(loaders=[(loader, [(_LOCMEM, {**PARTS, **TEXTS})])], libraries=_LIBRARIES)


TEXTS = {
    text: text
    for text in (
        "{% load i18n %}{% translate 'Log in' %} {% translate 'Log out' %}",
        "{% load i18n %}{% translate 'Opened' context 'breach' %}: 100 %{% translate 'Log in' noop %}",
        "{% load i18n %}{% translate 'Log in' as label %}<b title='{{ label }}'>{{ label }}</b>",
        "{% load i18n %}{% translate name %}{% translate name|upper as label %}{{ label }}",
        "{% load i18n %}{% blocktranslate %}Log in{% endblocktranslate %}",
        "{% load i18n %}{% blocktranslate asvar told %}Log in{% endblocktranslate %}{{ told }}",
        "{% load i18n %}{% blocktranslate with count=shop.name %}{{ count }} found{% endblocktranslate %}",
        "{% load i18n %}{% blocktranslate count n=number %}{{ n }} selected{% plural %}{{ n }} selected"
        "{% endblocktranslate %}",
        "{% load i18n %}{% language 'zh-hans' %}{% translate 'Log in' %}{% endlanguage %}"
        "{% translate 'Log in' %}",
        "{% load ui %}{% icon 'x' %}{% icon 'x' 'A & B' %}{% icon name %}{% icon 'x' label=name %}",
        "{% load static %}{% static 'img/logo.svg' %}{% static name %}",
        "{% url 'home' %}{% url 'account_login' %}{% url 'home' as there %}{{ there }}",
        "{% url 'parcels:track' shop.number %}{% url 'parcels:track' name %}{% url 'parcels:track' number %}",
        "{% url 'member_edit' number %}{% url 'member_edit' number as there %}{{ there }}",
        "{% url 'member_edit' name as there %}<{{ there }}>{% url 'no_page' number as there %}{{ there }}",
        "{% include 'steady.html' %}{% include 'steady.html' with name='x' %}",
        "{% include 'named.html' %}<{{ title }}>",
        "{% extends 'base.html' %}{% load i18n %}{% block title %}{{ block.super }}!{% endblock %}"
        "{% block body %}{% translate 'Log in' %}{{ name }}{% endblock %}",
        "{{ shop.name }}|{{ shop.title }}|{{ shop.broken|default:'-' }}|{{ shop.delete }}",
        "{{ shop.0 }}|{{ rows.1 }}|{{ rows.7 }}|{{ table.a }}|{{ table.items }}|{{ table.no }}|{{ nothing }}",
        "{{ number }}|{{ none }}|{{ safe }}|{{ name|upper }}|{{ name|default:nothing }}|{{ True }}",
        "{% autoescape off %}{{ name }}{% load ui %}{% icon 'x' 'A & B' %}{% endautoescape %}{{ name }}",
        "{% for row in rows %}{{ forloop.counter }}{{ row }}{% empty %}-{% endfor %}{{ forloop.counter }}",
        "{% if shop.name and not nothing.at.all or number > 3 %}{{ name }}{% elif none %}a{% endif %}",
        "{% with other=shop.name %}{{ other }}{% endwith %}{{ other }}{% firstof nothing name %}",
    )
}


def _context() -> dict[str, Any]:
    return {
        "name": "R&D",
        "number": 4711,
        "none": None,
        "safe": mark_safe("<i>"),
        "shop": Shop(),
        "rows": ["<a>", mark_safe("<b>")],
        "table": {"a": "<1>"},
    }


@pytest.mark.parametrize("text", TEXTS)
def test_a_prepared_template_writes_what_django_does(text):
    plain = _engine("django.template.loaders.cached.Loader").get_template(text)
    prepared = _engine("alliance.web.prepared_templates.Loader").get_template(text)

    for language in ("en", "zh-hans", "en"):
        with override(language):
            try:
                expected = plain.render(Context(_context()))
            except Exception as error:  # noqa: BLE001 -- a template may also have to fail alike
                with pytest.raises(type(error)):
                    prepared.render(Context(_context()))
            else:
                assert prepared.render(Context(_context())) == expected


@pytest.mark.parametrize(
    ("start", "kinds"),
    [
        ("{% load i18n %}{% translate 'Log in' %} {%", [SteadyText]),
        ("{% include 'steady.html' %}", [SteadyText, IncludeNode]),
        ("{% load i18n %}{% translate 'Log in' as label %}", [SteadyName, TextNode, QuickVariableNode]),
        ("{% url 'member_edit' number %}", [SteadyAddress, SteadyAddress, QuickVariableNode]),
    ],
)
def test_what_is_the_same_on_every_page_is_one_text(start, kinds):
    [text] = [text for text in TEXTS if text.startswith(start)]

    nodes = _engine("alliance.web.prepared_templates.Loader").get_template(text).nodelist

    assert [type(node) for node in nodes][: len(kinds)] == kinds


def test_an_address_has_the_path_under_which_the_product_is_served():
    [text] = [text for text in TEXTS if text.startswith("{% url 'parcels:track'")]
    template = _engine("alliance.web.prepared_templates.Loader").get_template(text)
    before = template.render(Context(_context()))

    set_script_prefix("/alliance/")
    try:
        assert template.render(Context(_context())).startswith("/alliance/track/CA1/")
    finally:
        set_script_prefix("/")
    assert template.render(Context(_context())) == before
