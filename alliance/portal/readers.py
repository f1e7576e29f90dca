"""The short way of readers: of pages that are for everybody, without a session."""

from collections.abc import Callable

from csp.utils import build_policy
from django.conf import settings
from django.http import HttpRequest, HttpResponseBase
from django.utils import translation

from alliance.portal.public_pages import has_session
from alliance.web.programs import ProgramHandler

GetResponse = Callable[[HttpRequest], HttpResponseBase]


def is_reader(request: HttpRequest) -> bool:
    """Tell whether a request reads a page of settings.READER_PATHS and needs nothing of a session.

    These pages have no form that needs a token, no name, no messages. What is left is as for programs.
    """
    return (
        request.method in ("GET", "HEAD")
        and settings.READER_PATHS.fullmatch(request.path_info) is not None
        and not has_session(request)
    )


class ReaderMiddleware:
    """Answers readers by the short way."""

    def __init__(self, get_response: GetResponse) -> None:
        self._of_others = get_response
        self._of_readers = ReaderHandler().answer

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self._of_readers(request) if is_reader(request) else self._of_others(request)


class ReaderHandler(ProgramHandler):
    """Answers a reader like a program, with the policy of pages and in the language of the cookie."""

    def __init__(self) -> None:
        self.policy = build_policy()
        super().__init__()

    def speak_language_of(self, request: HttpRequest) -> str:
        if settings.LANGUAGE_COOKIE_NAME not in request.COOKIES:
            return super().speak_language_of(request)
        language = translation.get_language_from_request(request)
        translation.activate(language)
        return language
