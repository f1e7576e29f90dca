"""Pages of a merchant's allocation rules."""

from dataclasses import dataclass

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from alliance.choices import Capability
from alliance.errors import Conflict, InvalidInput, NotFound
from alliance.models import Organisation
from alliance.tenancy import Actor, require
from alliance.web.requests import ActorRequest
from slas.allocation import services
from slas.allocation.models import AllocationRule
from slas.allocation.services import MOST_RULES
from slas.allocation.texts import action_text, conditions_text
from slas.portal.allocation_forms import FIELDS, RuleForm


@dataclass(frozen=True, slots=True)
class Row:
    """A rule of the list, in words."""

    rule: AllocationRule
    conditions: str
    action: str


@require_safe
@login_required
def rule_list(request: ActorRequest) -> HttpResponse:
    """List the merchant's rules in the order in which they are looked at."""
    actor = request.actor
    rules = list(services.own_rules(actor))
    courier_ids = {int(pk) for rule in rules for pk in rule.couriers}
    names = dict(Organisation.objects.filter(pk__in=courier_ids).values_list("pk", "name"))
    context = {
        "rows": [Row(rule, conditions_text(rule), action_text(rule, names)) for rule in rules],
        "may_change": actor.can(Capability.ALLOCATE),
        "has_room": len(rules) < MOST_RULES,
        "most": MOST_RULES,
    }
    return render(request, "slas/rule_list.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def rule_create(request: ActorRequest) -> HttpResponse:
    """Add a rule behind the others."""
    actor = _manager(request)
    form = RuleForm(request.POST or None, rule=None)
    if request.method == "POST" and form.is_valid() and _try_to_save(actor, None, form):
        messages.success(request, _("The rule was added. It counts from the next booking on."))
        return redirect("slas:rule_list")
    return render(request, "slas/rule_form.html", {"form": form}, status=422 if form.errors else 200)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def rule_edit(request: ActorRequest, rule_id: int) -> HttpResponse:
    """Change a rule."""
    actor = _manager(request)
    own_rules = services.own_rules(actor)
    if request.method == "POST":
        # What the form was opened with is compared with what is saved: nobody may change it in between.
        own_rules = own_rules.select_for_update(of=("self",), no_key=True)
    rule = own_rules.filter(pk=rule_id).first()
    if rule is None:
        raise NotFound
    form = RuleForm(request.POST or None, rule=rule)
    if request.method == "POST" and form.is_valid() and _try_to_save(actor, rule_id, form):
        messages.success(request, _("The rule was changed. It counts from the next booking on."))
        return redirect("slas:rule_list")
    context = {"form": form, "rule": rule}
    return render(request, "slas/rule_form.html", context, status=422 if form.errors else 200)


@require_POST
@login_required
def rule_move(request: ActorRequest, rule_id: int) -> HttpResponse:
    """Let a rule change places with its neighbour."""
    services.move_rule(actor=request.actor, rule_id=rule_id, up=request.POST.get("to") == "up")
    return redirect("slas:rule_list")


@require_POST
@login_required
def rule_switch(request: ActorRequest, rule_id: int) -> HttpResponse:
    """Switch a rule on or off."""
    is_active = request.POST.get("active") == "1"
    services.switch_rule(actor=request.actor, rule_id=rule_id, is_active=is_active)
    return redirect("slas:rule_list")


@require_POST
@login_required
def rule_delete(request: ActorRequest, rule_id: int) -> HttpResponse:
    """Delete a rule."""
    rule = services.delete_rule(actor=request.actor, rule_id=rule_id)
    messages.success(request, _("The rule “%(name)s” was deleted.") % {"name": rule.name})
    return redirect("slas:rule_list")


def _manager(request: ActorRequest) -> Actor:
    actor = request.actor
    require(actor, Capability.ALLOCATE)
    if not actor.is_merchant:
        raise NotFound
    return actor


def _try_to_save(actor: Actor, rule_id: int | None, form: RuleForm) -> bool:
    try:
        services.save_rule(actor=actor, rule_id=rule_id, terms=form.terms)
    except InvalidInput as error:
        for problem in error.errors:
            form.add_error(FIELDS.get(problem.field, problem.field), problem.message)
    except Conflict as error:
        form.add_error(None, error.detail)
    return form.is_valid()
