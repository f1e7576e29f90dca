"""Preview and apply the excuses that a declared event proposes."""

# unfold's decorators carry no types.
# mypy: disable-error-code="untyped-decorator"

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from unfold.decorators import action

from alliance.errors import InvalidInput, NotFound
from alliance.models import City, Organisation
from alliance.web.requests import actor_of
from slas.admin.excuse_forms import ProposalForm
from slas.admin.tier_forms import add_errors
from slas.choices import DisruptionReason
from slas.excuses.services.disruptions import (
    RECOVERY_HOURS,
    AffectedBreach,
    Cause,
    ProposalResult,
    breaches_affected_by,
    counts_by,
    propose_excuses,
)
from slas.excuses.services.permissions import may_decide
from slas.models import Closure, Disruption

ROWS_SHOWN = 50


class ProposingMixin:
    """Adds the page that proposes excuses to a declared event."""

    actions_detail = ("propose",)

    @action(
        description=gettext_lazy("Propose exemptions for all affected breaches"),
        url_path="propose",
        icon="volunteer_activism",
        permissions=["operate"],
    )
    def propose(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Show a preview; propose the excuses once it was confirmed."""
        actor = actor_of(request)
        event = self.model.objects.filter(pk=object_id).first() if object_id.isdecimal() else None  # type: ignore[attr-defined]
        if event is None:
            raise NotFound
        data = request.POST if request.method == "POST" else None
        form = ProposalForm(
            data,
            initial={"reason": DisruptionReason.WEATHER.value, "recovery_hours": RECOVERY_HOURS},
            of_closure=isinstance(event, Closure),
            may_grant=may_decide(actor),
        )
        valid = form.is_valid() if data is not None else True
        cause = _cause(event, form if data is not None and valid else None)
        touched = breaches_affected_by(cause)
        if data is not None and valid and "apply" in data:
            if form.cleaned_data.get("seen") == len(touched):
                response = self._apply(request, cause, form)
                if response is not None:
                    return response
                return self._preview(request, event, form, touched, status=422)
            messages.warning(request, _("The data has changed: check the new preview first."))
        return self._preview(request, event, form, touched, status=200 if valid else 422)

    def _apply(self, request: HttpRequest, cause: Cause, form: ProposalForm) -> HttpResponse | None:
        try:
            result = propose_excuses(
                actor=actor_of(request),
                cause=cause,
                note=form.cleaned_data["note"],
                grant=form.cleaned_data.get("grant", False),
            )
        except InvalidInput as error:
            add_errors(form, error)
            return None
        messages.success(request, _message(result))
        return redirect(_next_url(cause, result, may_decide=may_decide(actor_of(request))))

    def _preview(
        self,
        request: HttpRequest,
        event: Any,
        form: ProposalForm,
        touched: list[AffectedBreach],
        *,
        status: int,
    ) -> HttpResponse:
        context = {
            **self.admin_site.each_context(request),  # type: ignore[attr-defined]
            "opts": self.opts,  # type: ignore[attr-defined]
            "title": _("Exemptions for all breaches affected by %(event)s") % {"event": event},
            "event": event,
            "form": form,
            "count": len(touched),
            "summaries": _summaries(touched),
            "rows": _rows(touched[:ROWS_SHOWN]),
            "back": _back(event),
        }
        return render(request, "admin/slas/propose.html", context, status=status)


def _cause(event: Disruption | Closure, form: ProposalForm | None) -> Cause:
    if isinstance(event, Disruption):
        return Cause.of_disruption(event)
    values = form.cleaned_data if form else {}
    return Cause.of_closure(
        event,
        reason=values.get("reason", DisruptionReason.WEATHER),
        recovery_hours=values.get("recovery_hours", RECOVERY_HOURS),
    )


def _back(event: Disruption | Closure) -> str:
    return reverse(f"admin:slas_{event._meta.model_name}_change", args=[event.pk])


def _next_url(cause: Cause, result: ProposalResult, *, may_decide: bool) -> str:
    """The next page: decisions for actors who may decide, the list of proposed excuses for others."""
    name, pk = ("disruption", cause.disruption_id) if cause.disruption_id else ("closure", cause.closure_id)
    if result.granted or not result.proposed:
        return reverse(f"admin:slas_{name}_change", args=[pk])
    if may_decide:
        return f"{reverse('admin:slas_excuse_decide')}?{name}={pk}"
    return f"{reverse('admin:slas_excuse_changelist')}?{name}__id__exact={pk}"


def _message(result: ProposalResult) -> str:
    if result.granted:
        text = ngettext(
            "%(count)d exemption was granted.", "%(count)d exemptions were granted.", result.granted
        )
        return text % {"count": result.granted}
    text = ngettext(
        "%(count)d exemption was proposed.", "%(count)d exemptions were proposed.", result.proposed
    )
    return text % {"count": result.proposed}


def _summaries(touched: list[AffectedBreach]) -> list[tuple[str, list[tuple[Any, int]]]]:
    """Counts by courier and by merchant, with names."""
    couriers, merchants = counts_by(touched, "courier_id"), counts_by(touched, "merchant_id")
    names = Organisation.objects.in_bulk({pk for pk, _count in (*couriers, *merchants)})
    return [
        (_("By courier"), [(names[pk].name, count) for pk, count in couriers]),
        (_("By merchant"), [(names[pk].name, count) for pk, count in merchants]),
    ]


def _rows(touched: list[AffectedBreach]) -> list[dict[str, Any]]:
    parties = {pk for row in touched for pk in (row.courier_id, row.merchant_id)}
    names = Organisation.objects.in_bulk(parties)
    cities = City.objects.in_bulk({pk for row in touched for pk in (row.origin_id, row.destination_id)})
    return [
        {
            "row": row,
            "courier": names[row.courier_id],
            "merchant": names[row.merchant_id],
            "origin": cities[row.origin_id],
            "destination": cities[row.destination_id],
        }
        for row in touched
    ]
