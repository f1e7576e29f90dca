"""Icons of pages, as SVG in the page: a font of icons is 500 kB, and shows empty boxes until it is there."""

import functools
import json

from django.conf import settings
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe


def picture_of(name: str, label: str = "") -> SafeString:
    """Return the Tabler icon of that name; with a label for screen readers, without one as decoration."""
    # The shapes are the library's, put into build/icons.json by manage.py build_assets.
    shapes = mark_safe(icons().get(name, ""))  # noqa: S308
    if label:
        picture = '<svg class="ca-icon" viewBox="0 0 24 24" role="img" aria-label="{}">{}</svg>'
        return format_html(picture, label, shapes)
    return format_html('<svg class="ca-icon" viewBox="0 0 24 24" aria-hidden="true">{}</svg>', shapes)


@functools.cache
def icons() -> dict[str, str]:
    """Return the shapes of all icons by name."""
    shapes: dict[str, str] = json.loads((settings.BASE_DIR / "build" / "icons.json").read_bytes())
    return shapes
