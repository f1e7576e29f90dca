"""What the API's busiest views share: they do without most of DRF, whose work takes longer than theirs."""

from collections.abc import Callable
from typing import Any, ClassVar

from django.db import transaction
from django.http import HttpRequest, HttpResponseBase
from rest_framework.views import APIView

from alliance.api.errors import problem_page
from alliance.api.throttling import count_call
from alliance.errors import AllianceError, TooMany, spread
from alliance.web.requests import ActorRequest


class ApiView(APIView):
    """A view that works its methods out once, not several times a call."""

    _methods: ClassVar[list[str]] = []

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        cls._methods = [name.upper() for name in cls.http_method_names if hasattr(cls, name)]

    @property
    def allowed_methods(self) -> list[str]:
        return self._methods


def is_plain_post(request: ActorRequest) -> bool:
    """Tell whether DRF would find nothing to refuse or to choose: a POST with a key, answered in JSON."""
    return (
        request.method == "POST"
        and request.actor.kind == "api_key"
        and not request.META.get("QUERY_STRING")
        and takes_json(request)
    )


def takes_json(request: HttpRequest) -> bool:
    accepted = request.META.get("HTTP_ACCEPT", "*/*")
    return accepted == "application/json" or "*/*" in accepted


def answer_plainly(
    request: ActorRequest, answer: Callable[[ActorRequest], HttpResponseBase]
) -> HttpResponseBase:
    """Count a plain call and answer it; refuse it as KeyRateThrottle and problem_response() do."""
    try:
        left, reset = count_call(request)
        if left < 0:
            raise TooMany.for_now(spread(reset))
        return answer(request)
    except AllianceError as error:
        transaction.set_rollback(True)
        return problem_page(request, error)
