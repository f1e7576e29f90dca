"""Reading one of a few words from programs."""

from typing import Any, NoReturn

from django.utils.translation import gettext as _
from rest_framework import serializers

_SHOWN = 40


class WordField(serializers.ChoiceField):
    """A word out of a list, for what programs send. Whoever sends another is told the list."""

    def fail(self, key: str, **options: Any) -> NoReturn:
        if key != "invalid_choice":
            super().fail(key, **options)
        message = _("“%(word)s” is not known. Choose from: %(words)s.") % {
            "word": str(options["input"])[:_SHOWN],
            "words": ", ".join(map(str, self.choices)),
        }
        raise serializers.ValidationError(message, code=key)
