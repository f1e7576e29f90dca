"""Fields are remembered as rendered, but never what is typed into them."""

from typing import Any

import pytest
from django import forms
from django.forms import BoundField
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy, override

from alliance.portal import written_fields
from alliance.portal.forms import FilterForm
from alliance.portal.written_fields import written


class Filters(FilterForm):
    state = forms.ChoiceField(
        label=gettext_lazy("State"), required=False, choices=[("", gettext_lazy("All")), ("late", "Late")]
    )
    name = forms.CharField(label=gettext_lazy("Name"), required=False, max_length=5)


class Rendering:
    """Renders fields, and counts how often."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, field: BoundField) -> SafeString:
        self.count += 1
        return SafeString(f"{field.label}: {field} {field.errors}")


@pytest.fixture
def render() -> Rendering:
    written_fields.forget()
    return Rendering()


def _shown(render: Rendering, name: str, data: dict[str, str], *, form: Any = Filters) -> str:
    return written(form(data)[name], render, "test")


@pytest.mark.parametrize(("name", "data"), [("state", {}), ("state", {"state": "late"}), ("name", {})])
def test_an_empty_or_chosen_field_is_rendered_once_a_language(
    render: Rendering, name: str, data: dict[str, str]
) -> None:
    for language in ("en", "zh-hans", "en"):
        with override(language):
            assert _shown(render, name, data) == render(Filters(data)[name])
    # Of these, three are the comparison's own.
    assert render.count == 2 + 3


@pytest.mark.parametrize(
    ("name", "data"),
    [("name", {"name": "Tea"}), ("name", {"name": "Longer"}), ("state", {"state": "<b>"})],
)
def test_what_is_typed_or_refused_is_not_remembered(
    render: Rendering, name: str, data: dict[str, str]
) -> None:
    assert _shown(render, name, data) == _shown(render, name, data)
    assert (render.count, written_fields._fields) == (2, {})


def test_a_form_with_other_choices_is_another(render: Rendering) -> None:
    class Changed(Filters):
        def __init__(self, *args: Any, option: str, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            self.fields["state"].widget.choices = [(option, option)]

    shown = [
        _shown(render, "state", {}, form=lambda data, option=option: Changed(data, option=option))
        for option in ("one", "two", "one")
    ]
    assert ("one" in shown[0], "two" in shown[1], render.count) == (True, True, 2)
    assert shown[0] == shown[2]


def test_few_are_remembered(render: Rendering, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(written_fields, "_MOST", 1)
    _shown(render, "state", {})
    _shown(render, "name", {})
    assert len(written_fields._fields) == 1
