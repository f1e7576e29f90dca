"""Texts that are remembered are the same as those that are looked up."""

import pytest
from django.utils import translation
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext, gettext_lazy, ngettext, pgettext

from alliance.remembered_texts import remembering


@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_a_text_is_in_the_language_of_now(language: str) -> None:
    with translation.override(language):
        expected = {"en": "Delivered", "zh-hans": "已签收"}[language]
        assert (gettext("Delivered"), str(gettext_lazy("Delivered"))) == (expected, expected)
        assert pgettext("between the items of a list", ", ") == {"en": ", ", "zh-hans": "、"}[language]
        assert pgettext("nowhere", "Delivered") == "Delivered"
        assert ngettext("%(count)d parcel", "%(count)d parcels", 2)
        assert gettext("") == ""


def test_without_a_language_messages_are_themselves() -> None:
    with translation.override("zh-hans"):
        assert gettext("Delivered") == "已签收"
        with translation.override(None):
            assert gettext("Delivered") == "Delivered"


def test_a_safe_text_stays_safe_and_no_other_becomes_so() -> None:
    for _turn in range(2):
        assert isinstance(gettext(mark_safe("Delivered")), SafeString)
        assert not isinstance(gettext("Delivered"), SafeString)


def test_a_message_is_looked_up_once_in_each_language() -> None:
    looked_up = []
    look_up = remembering(lambda message: looked_up.append(message) or message.upper())  # type: ignore[func-returns-value]
    for language in ("en", "zh-hans", "en", "zh-hans"):
        with translation.override(language):
            assert (look_up("a"), look_up("b")) == ("A", "B")
    assert looked_up == ["a", "b"] * 2
