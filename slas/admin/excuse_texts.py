"""Messages after decisions on excuses: how many were decided, and how many were left, and why."""

from collections.abc import Callable

from django.contrib import messages
from django.utils.translation import ngettext

from slas.excuses.services.decisions import DecisionResult, ExcuseResult


def excused_texts(result: ExcuseResult) -> list[tuple[int, str]]:
    """Messages about the breaches that were to be excused."""
    return _messages(
        (result.excused, _excused),
        (
            result.gone,
            lambda n: ngettext("%(count)d is no longer a breach.", "%(count)d are no longer breaches.", n),
        ),
        (result.waiting, _waiting),
        (
            result.already,
            lambda n: ngettext("%(count)d was already exempt.", "%(count)d were already exempt.", n),
        ),
        (result.barred, _barred),
    )


def _excused(count: int) -> str:
    return ngettext("%(count)d breach was exempted.", "%(count)d breaches were exempted.", count)


def _waiting(count: int) -> str:
    return ngettext(
        "%(count)d has a request from its courier: decide on the request.",
        "%(count)d have requests from their couriers: decide on the requests.",
        count,
    )


def _messages(*parts: tuple[int, Callable[[int], str]]) -> list[tuple[int, str]]:
    """Messages of counts: the first is of successes, the others of breaches left alone, with the reason.

    A count of zero successes is shown only if there is no other message.
    """
    texts = []
    for number, (count, text) in enumerate(parts):
        if count or (number == 0 and not any(other_count for other_count, _text in parts)):
            level = messages.SUCCESS if count and number == 0 else messages.WARNING
            texts.append((level, text(count) % {"count": count}))
    return texts


def decided_texts(result: DecisionResult) -> list[tuple[int, str]]:
    return _messages(
        (result.decided, _decided),
        (result.lapsed, _lapsed),
        (result.untouched, _untouched),
        (result.barred, _barred),
    )


def _barred(count: int) -> str:
    return ngettext(
        "%(count)d was left: you belong to its courier, so another person must decide.",
        "%(count)d were left: you belong to their courier, so another person must decide.",
        count,
    )


def _decided(count: int) -> str:
    return ngettext("%(count)d exemption was decided.", "%(count)d exemptions were decided.", count)


def _lapsed(count: int) -> str:
    return ngettext(
        "%(count)d exemption lapsed: the breach was withdrawn.",
        "%(count)d exemptions lapsed: the breaches were withdrawn.",
        count,
    )


def _untouched(count: int) -> str:
    return ngettext(
        "%(count)d was decided or withdrawn in the meantime.",
        "%(count)d were decided or withdrawn in the meantime.",
        count,
    )
