"""Calls get the form of an answer that DRF's own negotiation would give them."""

import pytest
from django.test import RequestFactory
from drf_spectacular.renderers import OpenApiJsonRenderer, OpenApiYamlRenderer
from rest_framework.exceptions import NotAcceptable
from rest_framework.negotiation import BaseContentNegotiation, DefaultContentNegotiation
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request

from alliance.api.negotiation import QuickNegotiation

ONE, TWO = [JSONRenderer()], [OpenApiYamlRenderer(), OpenApiJsonRenderer()]


def selected(
    negotiation: BaseContentNegotiation, accepted: str | None, renderers: list[BaseRenderer]
) -> tuple[str, str] | None:
    sent = {} if accepted is None else {"HTTP_ACCEPT": accepted}
    request = Request(RequestFactory().get("/", {"format": "json"}, **sent))
    try:
        renderer, media_type = negotiation.select_renderer(request, renderers)  # type: ignore[arg-type]
    except NotAcceptable:
        return None
    return type(renderer).__name__, media_type


@pytest.mark.parametrize("renderers", [ONE, TWO])
@pytest.mark.parametrize(
    "accepted",
    [None, "", "*/*", "application/json", "application/json; indent=4", "text/html", "text/html, */*;q=0.1"]
    + ["application/vnd.oai.openapi", "application/vnd.oai.openapi+json", "application/*", "nonsense"],
)
def test_form_is_the_one_that_drf_selects(accepted: str | None, renderers: list[BaseRenderer]) -> None:
    quick = selected(QuickNegotiation(), accepted, renderers)
    assert quick == selected(DefaultContentNegotiation(), accepted, renderers)
