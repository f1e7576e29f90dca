"""The errors that services raise; pages and the API only translate them."""

import random
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext


@dataclass(frozen=True, slots=True)
class FieldError:
    """One error of one input. `pointer` is a JSON pointer (RFC 6901)."""

    pointer: str
    message: str
    code: str = "invalid"

    @property
    def field(self) -> str:
        """The last part of the pointer: the name of a form field."""
        return self.pointer.rsplit("/", 1)[-1]


def spread(seconds: int) -> int:
    """Add random jitter to a wait, so that clients refused together do not all retry together."""
    return seconds + random.randint(0, 2 + seconds // 10)  # noqa: S311 -- nothing to guess


class AllianceError(Exception):
    """A request that a rule refuses. `code` is stable; `detail` is for people.

    `members` are further members of the problem document, for programs.
    """

    status: ClassVar[int] = 400
    code: ClassVar[str] = "error"
    title: ClassVar[str | Promise] = _("The request could not be processed")

    def __init__(
        self,
        detail: str = "",
        *,
        code: str = "",
        errors: list[FieldError] | None = None,
        retry_after: int | None = None,
        members: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(str(detail) or str(self.title))
        self.detail = str(detail) or str(self.title)
        self.reason = code or self.code
        self.errors = errors or []
        self.retry_after = retry_after
        self.members = members or {}


class MalformedInput(AllianceError):
    """The body could not be parsed."""

    status = 400
    code = "malformed"
    title = _("The request could not be read")


class InvalidInput(AllianceError):
    """The body was parsed, but has invalid values. `errors` says where."""

    status = 422
    code = "invalid"
    title = _("Some of the input is not valid")


class NotAuthenticated(AllianceError):
    status = 401
    code = "not_authenticated"
    title = _("Log in, or send an API key")


class NotPermitted(AllianceError):
    status = 403
    code = "not_permitted"
    title = _("Your role does not allow this")


class KeyNotPermitted(NotPermitted):
    """The key is known, and may not do this, or not from there."""

    title = _("This API key does not allow this")


class NotFound(AllianceError):
    status = 404
    code = "not_found"
    title = _("Not found")


class Gone(NotFound):
    """The object existed, and was moved out of the database."""

    status = 410
    code = "gone"
    title = _("This is no longer kept")


class WrongMethod(AllianceError):
    status = 405
    code = "method_not_allowed"
    title = _("This method is not allowed here")


class NotAcceptable(AllianceError):
    status = 406
    code = "not_acceptable"
    title = _("There is no answer of this type")


class UnsupportedType(AllianceError):
    status = 415
    code = "unsupported_media_type"
    title = _("The content type is not supported")


class Conflict(AllianceError):
    """The state of the object does not allow this."""

    status = 409
    code = "conflict"
    title = _("The current state does not allow this")


class CapacityFull(Conflict):
    code = "capacity_full"
    title = _("No capacity left")


class TooLarge(AllianceError):
    status = 413
    code = "too_large"
    title = _("The request is too large")


class TooSlow(AllianceError):
    status = 408
    code = "too_slow"
    title = _("The request arrived too slowly")


class TooMany(AllianceError):
    status = 429
    code = "too_many_requests"
    title = _("Too many requests")

    @classmethod
    def for_now(cls, seconds: int) -> Self:
        """Return the refusal of a caller that may call again in so many seconds."""
        wait = ngettext(
            "Too many requests. Try again in %(seconds)d second.",
            "Too many requests. Try again in %(seconds)d seconds.",
            seconds,
        )
        return cls(wait % {"seconds": seconds}, retry_after=seconds)


class Unavailable(AllianceError):
    """A server we need is down or busy for now: nothing was done, and the request may be sent again."""

    status = 503
    code = "unavailable"
    title = _("The service is temporarily unavailable")

    def __init__(self, detail: str = "", *, code: str = "", retry_after: int = 2) -> None:
        super().__init__(detail, code=code, retry_after=spread(retry_after))
