"""URLs of pages that may not exist."""

from django.urls import NoReverseMatch, reverse


def link_to(name: str, *args: object) -> str:
    """Return the URL of a page, or "" if there is no page of that name."""
    try:
        return reverse(name, args=args)
    except NoReverseMatch:
        return ""
