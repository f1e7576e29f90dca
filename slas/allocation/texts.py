"""Allocation rules in words: what each says, why a courier was chosen, and why nobody is left."""

from collections.abc import Mapping, Sequence

from django.utils import formats
from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from alliance.cities import province_text
from alliance.models import City
from alliance.wording import kilograms, listed, money_text, sentences
from slas.allocation.models import AllocationRule
from slas.allocation.rules import Rule
from slas.choices import RuleAction
from slas.promises.prices import yuan
from slas.promises.tiers_in_force import TierInForce


def rule_reason(rule: Rule, shares: Sequence[tuple[str, int]]) -> str:
    """Why the merchant's rule leads to a courier. `shares` are those of a split, by courier's name."""
    match rule.action:
        case RuleAction.CHEAPEST if rule.least_score:
            text = _("Your rule “%(rule)s”: the cheapest courier that is at least %(score)s %% on time.")
            return text % {"rule": rule.name, "score": _percent(rule.least_score)}
        case RuleAction.CHEAPEST:
            return _("Your rule “%(rule)s”: the cheapest courier.") % {"rule": rule.name}
        case RuleAction.MOST_RELIABLE:
            text = _("Your rule “%(rule)s”: the most reliable courier of those up to %(price)s.")
            return text % {"rule": rule.name, "price": money_text(yuan(rule.most_fen))}
        case RuleAction.SPLIT:
            text = _("Your rule “%(rule)s” splits these parcels: %(shares)s.")
            return text % {"rule": rule.name, "shares": _shares_text(shares)}
        case RuleAction.ONLY:
            return _("Your rule “%(rule)s” allows only certain couriers.") % {"rule": rule.name}
        case _:
            return _("Your rule “%(rule)s” excludes certain couriers.") % {"rule": rule.name}


def ruled_out_text(rule: Rule, tier: TierInForce, courier: str) -> str:
    """Why a rule leaves no courier, and what to do."""
    params = {"rule": rule.name, "tier": tier.name}
    if courier:
        return _(
            "Your rule “%(rule)s” does not allow this courier. Choose another one, or change the rule."
        ) % params  # fmt: skip
    return _(
        "Your rule “%(rule)s” leaves no courier for %(tier)s here. Change the rule, or switch it off."
    ) % params  # fmt: skip


def conditions_text(rule: AllocationRule) -> str:
    """For which parcels a rule holds."""
    origin = area_text(rule.origin, rule.origin_country, rule.origin_province)
    destination = area_text(rule.destination, rule.destination_country, rule.destination_province)
    parts = [
        rule.tier.name if rule.tier else "",
        _("from %(place)s") % {"place": origin} if origin else "",
        _("to %(place)s") % {"place": destination} if destination else "",
        _weights_text(rule.least_g, rule.most_g),
        _values_text(rule.least_declared_fen, rule.most_declared_fen),
        _("reference beginning with “%(prefix)s”") % {"prefix": rule.reference_prefix}
        if rule.reference_prefix
        else "",
    ]
    held = listed(filter(None, parts))
    return _("Parcels: %(conditions)s.") % {"conditions": held} if held else _("Every parcel.")


def action_text(rule: AllocationRule, names: Mapping[int, str]) -> str:
    """What a rule does. `names` are those of couriers by their id."""
    stop = _("No further rule is looked at.") if rule.stops else ""
    return sentences(_action_text(rule, names), stop)


def area_text(city: City | None, country: str, province: str) -> str:
    """A city or a province as it is typed, too; empty for neither."""
    if city is not None:
        return city.name
    return _("%(province)s province") % {"province": province_text(country, province)} if province else ""


def typed_province(country: str, province: str) -> str:
    """A province as it can be typed: without more, some names are a city's."""
    return pgettext("typed", "%(province)s province") % {"province": province_text(country, province)}


def _action_text(rule: AllocationRule, names: Mapping[int, str]) -> str:
    couriers = {names.get(int(pk), "?"): share for pk, share in rule.couriers.items()}
    match rule.action:
        case RuleAction.ONLY:
            return _("Only %(couriers)s.") % {"couriers": listed(sorted(couriers))}
        case RuleAction.NEVER:
            return _("Never %(couriers)s.") % {"couriers": listed(sorted(couriers))}
        case RuleAction.CHEAPEST if rule.least_score:
            text = _("The cheapest courier that is at least %(score)s %% on time.")
            return text % {"score": _percent(rule.least_score)}
        case RuleAction.CHEAPEST:
            return _("The cheapest courier.")
        case RuleAction.MOST_RELIABLE:
            text = _("The most reliable courier of those up to %(price)s.")
            return text % {"price": money_text(yuan(rule.most_fen))}
        case RuleAction.SPLIT:
            shares = sorted(couriers.items(), key=lambda each: -each[1])
            return _("Split by share: %(shares)s.") % {"shares": _shares_text(shares)}
        case _:
            return _("As the alliance recommends; no further rule is looked at.")


def _shares_text(shares: Sequence[tuple[str, int]]) -> str:
    return listed(_("%(courier)s %(share)d %%") % {"courier": name, "share": share} for name, share in shares)


def _weights_text(least_g: int | None, most_g: int | None) -> str:
    params = {"least": kilograms(least_g or 0), "most": kilograms(most_g or 0)}
    if least_g and most_g:
        return _("%(least)s to %(most)s kg") % params
    if least_g:
        return _("from %(least)s kg") % params
    return _("up to %(most)s kg") % params if most_g else ""


def _values_text(least_fen: int | None, most_fen: int | None) -> str:
    params = {"least": money_text(yuan(least_fen or 0)), "most": money_text(yuan(most_fen or 0))}
    if least_fen is not None and most_fen is not None:
        return _("declared value from %(least)s to %(most)s") % params
    if least_fen is not None:
        return _("declared value from %(least)s") % params
    return _("declared value up to %(most)s") % params if most_fen is not None else ""


def _percent(tenths: int) -> str:
    return formats.number_format(tenths / 10, 1) if tenths % 10 else str(tenths // 10)
