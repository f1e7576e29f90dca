"""Input that no form has checked and that nothing of ours can hold: the client's mistake, not a bug."""

import errno

from django.utils.translation import gettext as _

from alliance.errors import MalformedInput


def refusal_of(exception: BaseException) -> MalformedInput | None:
    """Return the refusal of a request whose view failed on such input, or None for a bug of ours.

    Forms and serializers name the field; this is for parameters that a view or the admin reads directly.
    """
    # Django wraps what Python says of a number: the innermost exception knows best.
    sentence = ""
    cause: BaseException | None = exception
    while cause is not None:
        sentence, cause = _sentence(cause) or sentence, cause.__cause__
    return MalformedInput(sentence) if sentence else None


def _sentence(exception: BaseException) -> str:
    text = str(exception)
    match exception:
        case UnicodeEncodeError() if "surrogates" in text:
            return _("The request contains a broken character. Remove it and send the request again.")
        case ValueError() if "NUL (0x00)" in text:
            return _("The request contains a NUL character (%00). Remove it and send the request again.")
        case ValueError() if "Exceeds the limit" in text and "digits" in text:
            return _("The request contains a number that is too long. Correct it and send the request again.")
        case ValueError() if "expected a number but got" in text:
            return _("The request contains a text in the place of a number. Go back and choose again.")
        case OSError(errno=errno.ENAMETOOLONG):
            # Of a time zone, for example, which is looked up as a file.
            return _("The request contains a name that is too long. Correct it and send the request again.")
        case OverflowError():
            return _("The request contains a number or date that is too large. Correct it and send it again.")
    return ""
