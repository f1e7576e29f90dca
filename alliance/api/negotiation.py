"""Which form of an answer a call gets: DRF's rules, with a shorter way for nearly all calls."""

from collections.abc import Iterable

from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request


class QuickNegotiation(DefaultContentNegotiation):
    """Knows by itself what a call gets that takes anything: the view's first form.

    DRF parses the header, and the type of each form, at every call.
    """

    def select_renderer(
        self, request: Request, renderers: Iterable[BaseRenderer], format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        forms = list(renderers)
        first = forms[0]
        accepted = request.META.get("HTTP_ACCEPT", "*/*")
        if format_suffix is None and accepted in ("*/*", first.media_type):
            return first, str(first.media_type)
        return super().select_renderer(request, forms, format_suffix)
