"""Django's places of a thread, without asgiref's Local."""

import threading

import pytest
from django.utils import translation

from alliance.thread_locals import PLACES


@pytest.mark.parametrize(("place", "name"), PLACES)
def test_a_place_has_a_plain_thread_local(place, name):
    assert type(getattr(place, name)) is threading.local


def test_a_language_is_of_its_thread():
    seen = []

    def look() -> None:
        seen.append(translation.get_language())
        translation.activate("zh-hans")
        seen.append(translation.get_language())

    with translation.override("de"):
        thread = threading.Thread(target=look)
        thread.start()
        thread.join()
        assert translation.get_language() == "de"
    assert seen == ["en", "zh-hans"]
