"""Addresses of pages that other parts of the product bring along, or do not."""

from django.urls import NoReverseMatch, reverse


def link_to(name: str, *args: object) -> str:
    """Return the address of a page, or "" where there is no page of that name."""
    try:
        return reverse(name, args=args)
    except NoReverseMatch:
        return ""
