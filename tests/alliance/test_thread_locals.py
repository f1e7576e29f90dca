"""Django's places of a thread, without asgiref's Local."""

import subprocess
import sys
import threading

from django.utils import translation

# In a process of its own: Django's test client puts its own back when a test changes settings.
_TYPES = """
import django
django.setup()
from alliance.thread_locals import PLACES
print({type(getattr(place, name)).__module__ for place, name in PLACES})
"""


def test_each_place_has_a_plain_thread_local() -> None:
    process = subprocess.run([sys.executable, "-c", _TYPES], check=True, capture_output=True, text=True)
    assert process.stdout.strip() == "{'_thread'}"


def test_a_language_is_of_its_thread() -> None:
    languages = []

    def look() -> None:
        languages.append(translation.get_language())
        translation.activate("zh-hans")
        languages.append(translation.get_language())

    with translation.override("de"):
        thread = threading.Thread(target=look)
        thread.start()
        thread.join()
        assert translation.get_language() == "de"
    assert languages == ["en", "zh-hans"]
