"""Pages of the request log: what an organisation's programs sent, and how each call was answered."""

from collections.abc import Iterable
from typing import Any, Final

from django import forms
from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.db import models
from django.db.models import QuerySet
from django.http import HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy
from django.views.decorators.http import require_safe

from alliance.call_log.rules import ONE_IN, WHOLE_A_MINUTE, id_at
from alliance.choices import Capability
from alliance.errors import NotFound
from alliance.models import ApiCall, ApiKey
from alliance.portal.forms import FilterForm
from alliance.portal.paging import newest_first
from alliance.tenancy import Actor, require_member
from alliance.web.requests import ActorRequest

PAGE: Final = 50
LIST: Final = newest_first("calls", pgettext_lazy("time", "Sent"))


class Answer(models.TextChoices):
    """How a call was answered, as in the filter."""

    SUCCEEDED = "2", _("Succeeded (2xx, 3xx)")
    REFUSED = "4", _("Refused (4xx)")
    FAILED = "5", _("Failed (5xx)")


_STATUSES: Final = {
    Answer.SUCCEEDED: {"status__lt": 400},
    Answer.REFUSED: {"status__gte": 400, "status__lt": 500},
    Answer.FAILED: {"status__gte": 500},
}


class _Moment(forms.DateTimeInput):
    input_type = "datetime-local"

    def __init__(self) -> None:
        super().__init__(format="%Y-%m-%dT%H:%M")


class CallFilterForm(FilterForm):
    key = forms.ChoiceField(label=_("API key"), required=False)
    answer = forms.ChoiceField(label=_("Answer"), required=False, choices=[("", _("All")), *Answer.choices])
    path = forms.CharField(
        label=_("Path contains"),
        required=False,
        max_length=120,
        widget=forms.TextInput(attrs={"type": "search", "placeholder": "/parcels"}),
    )
    request_id = forms.CharField(
        label=_("Request id"),
        required=False,
        max_length=64,
        widget=forms.TextInput(attrs={"type": "search", "placeholder": "X-Request-Id"}),
    )
    since = forms.DateTimeField(label=pgettext_lazy("time", "From"), required=False, widget=_Moment)
    until = forms.DateTimeField(label=pgettext_lazy("time", "Until"), required=False, widget=_Moment)

    def __init__(self, *args: Any, keys: Iterable[ApiKey], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        key: Any = self.fields["key"]
        key.choices = [("", _("All keys")), *((str(each.pk), str(each)) for each in keys)]

    def narrowed(self, calls: QuerySet[Any]) -> QuerySet[Any]:
        """Return the calls that the filters ask for."""
        chosen, found = self.filters, self.among(calls)
        if "key" in chosen:
            found = found.filter(api_key_id=int(chosen["key"]))
        if "answer" in chosen:
            found = found.filter(**_STATUSES[chosen["answer"]])
        if "path" in chosen:
            found = found.filter(path__contains=chosen["path"].strip())
        if "request_id" in chosen:
            found = found.filter(request_id=chosen["request_id"].strip())
        if "since" in chosen:
            found = found.filter(pk__gte=_id_at(chosen["since"]))
        if "until" in chosen:
            found = found.filter(pk__lt=_id_at(chosen["until"]))
        return found


def _id_at(moment: Any) -> int:
    # A year that no id can have is as good as the first and the last one.
    return min(max(id_at(moment), 0), 2**63 - 1)


@require_safe
@login_required
def api_call_list(request: ActorRequest) -> HttpResponse:
    """List calls, newest first."""
    actor = request.actor
    require_member(actor, Capability.MANAGE_KEYS)
    keys = {key.pk: key for key in ApiKey.objects.visible_to(actor).order_by("name", "pk")}
    form = CallFilterForm(request.GET, keys=keys.values())
    asked = LIST.asked(request, form.params)

    def with_keys(calls: Iterable[ApiCall]) -> list[ApiCall]:
        found = list(calls)
        for call in found:
            call.key = keys.get(call.api_key_id)  # type: ignore[attr-defined]
        return found

    page = LIST.page(form.narrowed(_calls(actor)), asked, size=PAGE, complete=with_keys)
    context = {
        **page.context,
        "calls": page.rows,
        "form": form,
        "asked": bool(form.params),
        "days": settings.CALL_LOG_DAYS,
        "whole": WHOLE_A_MINUTE,
        "one_in": ONE_IN,
    }
    status = form.status if page.status == 200 else page.status
    return render(request, "alliance/api_call_list.html", context, status=status)


@require_safe
@login_required
def api_call_show(request: ActorRequest, call_id: int) -> HttpResponse:
    """Show one call, and the problem it was answered with."""
    actor = request.actor
    require_member(actor, Capability.MANAGE_KEYS)
    call = _calls(actor).filter(pk=call_id).first() if call_id < 2**63 else None
    if call is None:
        raise NotFound(
            _("The log has no such call: it keeps %(days)d days.") % {"days": settings.CALL_LOG_DAYS}
        )
    key = ApiKey.objects.visible_to(actor).filter(pk=call.api_key_id).first()
    return render(request, "alliance/api_call_show.html", {"call": call, "key": key})


def _calls(actor: Actor) -> QuerySet[Any]:
    return ApiCall.objects.visible_to(actor)
