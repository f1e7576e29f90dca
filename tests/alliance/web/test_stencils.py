"""Stencils write what Django's rendering of the same template does, and render each shape once."""

import itertools
from collections.abc import Iterator, Mapping
from typing import Any
from unittest import mock

import pytest
from django.template.loader import render_to_string
from django.test import override_settings
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import override

from alliance.web import stencils
from alliance.web.stencils import filled

PAGE = """{% load i18n ui %}<h1 title="{{ title }}">{{ title }}</h1>{% if note %}<p>{{ note }}</p>{% endif %}
{% for text in texts %}<li>{{ text }}</li>{% empty %}nothing{% endfor %}
{% blocktranslate with city=title %}Times are local to {{ city }} ({{ zone }}).{% endblocktranslate %}
{% translate "Log in" as label %}{% card title=label subtitle=note %}{{ title }}{% endcard %}
{% if kind == "late" %}{% icon "x" %}{{ kind }}{% endif %}"""
TITLES = ("R&D <Tea>", mark_safe("<b>bold</b>"), "it's \ue000title\ue001", "%s {{ title }} 上海")


@pytest.fixture(autouse=True)
def templates(settings: Any) -> Iterator[None]:
    [engine] = settings.TEMPLATES
    pages = {"page.html": PAGE, "changed.html": "{{ title|upper }}"}
    locmem = ("django.template.loaders.locmem.Loader", pages)
    loaders = [("alliance.web.prepared_templates.Loader", [locmem, *engine["OPTIONS"]["loaders"][0][1]])]
    settings.TEMPLATES = [{**engine, "OPTIONS": {**engine["OPTIONS"], "loaders": loaders}}]
    stencils.forget()
    yield
    stencils.forget()


@pytest.mark.parametrize("language", ["en", "zh-hans"])
@pytest.mark.parametrize("title", TITLES)
def test_stencil_is_filled_as_django_renders(title: str, language: str) -> None:
    texts: Mapping[str, Any]
    for note, items, kind in itertools.product(("", "a > b"), ((), ("<1>",), ("1", "2 & 3")), ("", "late")):
        texts, shape = {"title": title, "note": note, "texts": items, "zone": "UTC+8"}, {"kind": kind}
        with override(language):
            assert filled("page.html", texts, shape) == render_to_string("page.html", {**texts, **shape})


def test_shape_is_rendered_once() -> None:
    with mock.patch.object(stencils, "render_to_string", side_effect=render_to_string) as render:
        for title in TITLES:
            filled("page.html", {"title": title, "texts": [title, title]}, {"kind": "late"})
        assert render.call_count == 1
        filled("page.html", {"title": "x", "texts": ["x"]}, {"kind": "late"})
        filled("page.html", {"title": "x", "texts": ["x"]}, {"kind": "early"})
        assert render.call_count == 3
        with override_settings(DEBUG=True):
            filled("page.html", {"title": "x", "texts": ["x"]}, {"kind": "late"})
        assert render.call_count == 4


def test_text_that_a_template_changes_is_refused() -> None:
    with pytest.raises(ValueError, match=r"changed\.html"):
        filled("changed.html", {"title": "x"}, {})


def test_page_may_be_written_into_another() -> None:
    assert isinstance(filled("page.html", {}, {}), SafeString)
