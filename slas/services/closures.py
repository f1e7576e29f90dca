"""Days on which a place does not work: declaring them, and taking them back."""

from datetime import date, datetime, timedelta

from django.utils import timezone
from django.utils.translation import gettext as _

from alliance import audit
from alliance.errors import FieldError, InvalidInput, NotFound, NotPermitted
from alliance.models import City
from alliance.tenancy import Actor
from slas.choices import ClosureSide
from slas.models import Closure

# Further ahead a typing error is likelier than a plan.
MOST_AHEAD = timedelta(days=3 * 366)


def declare_closure(
    *,
    actor: Actor,
    day: date,
    name: str,
    side: ClosureSide | str = ClosureSide.BOTH,
    country: str = "",
    province: str = "",
    city: City | None = None,
    announced_at: datetime | None = None,
) -> Closure:
    """Close a country, a province or a city for a local day: promises made from now on go round it.

    What was promised before it was announced stays promised. Declaring it again changes nothing.
    `province` is the English name. Raises InvalidInput for a place that is not there.
    """
    if not actor.is_ops:
        raise NotPermitted
    if city is not None:
        country, province = city.country, city.province_en
    announced = announced_at or timezone.now()
    errors = list(_problems(day, name, side, country, province, announced))
    if errors:
        raise InvalidInput(errors=errors)
    closure, created = Closure.objects.get_or_create(
        date=day,
        country=country,
        province=province,
        city=city,
        name=name.strip(),
        defaults={"side": side, "announced_at": announced},
    )
    if created:
        detail = {"date": day, "country": country, "province": province, "city": city.code if city else ""}
        audit.record(
            actor=actor,
            verb="closure.declared",
            object_type="closure",
            object_id=closure.pk,
            detail=detail,
        )
    return closure


def withdraw_closure(*, actor: Actor, closure_id: int) -> None:
    """Take a closure back: promises made from now on count the day again. Raises NotFound."""
    if not actor.is_ops:
        raise NotPermitted
    deleted, _by_model = Closure.objects.filter(pk=closure_id).delete()
    if not deleted:
        raise NotFound
    audit.record(actor=actor, verb="closure.withdrawn", object_type="closure", object_id=closure_id)


def _problems(
    day: date, name: str, side: str, country: str, province: str, announced: datetime
) -> list[FieldError]:
    errors = []
    if not name.strip():
        errors.append(FieldError("/name", _("Say what the closure is."), "required"))
    if side not in ClosureSide.values:
        errors.append(FieldError("/side", _("Choose origin, destination or both."), "choice"))
    if not City.objects.filter(country=country).exists():
        errors.append(FieldError("/country", _("There is no city of that country."), "choice"))
    elif province and not City.objects.filter(country=country, province_en=province).exists():
        errors.append(FieldError("/province", _("There is no such province in that country."), "choice"))
    if day - announced.date() > MOST_AHEAD:
        errors.append(FieldError("/date", _("The day lies more than three years ahead."), "range"))
    return errors
