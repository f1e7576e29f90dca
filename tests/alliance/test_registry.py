"""Tables of the kernel that apps add to: a name is taken once, and nothing of a refused lot stays."""

import pytest
from django.core.exceptions import ImproperlyConfigured

from alliance.registry import Registry


def test_entries_of_several_apps_stand_beside_each_other() -> None:
    registry = Registry("colour", {"red": 1})
    registry.register({"green": 2})
    registry.register({"blue": 3})
    assert registry == {"red": 1, "green": 2, "blue": 3}


def test_a_name_registered_twice_is_refused_with_all_that_came_along() -> None:
    registry = Registry("colour", {"red": 1, "green": 2})
    with pytest.raises(ImproperlyConfigured, match=r"^There is a colour of this name already: green, red\.$"):
        registry.register({"blue": 3, "red": 4, "green": 2})
    assert registry == {"red": 1, "green": 2}
