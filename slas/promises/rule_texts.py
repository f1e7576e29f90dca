"""A tier's rules as short texts for pages."""

from typing import Any, Final, Protocol

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from alliance.wording import kilograms, listed, money_text
from slas.promises.prices import yuan

WEEKDAYS: Final = (
    gettext_lazy("Monday"),
    gettext_lazy("Tuesday"),
    gettext_lazy("Wednesday"),
    gettext_lazy("Thursday"),
    gettext_lazy("Friday"),
    gettext_lazy("Saturday"),
    gettext_lazy("Sunday"),
)


class Rules(Protocol):
    """The fields of a version that the texts read."""

    cut_offs: Any
    deliver_by: Any
    days_in_transit: int
    delivery_weekdays: Any
    weight_bands: Any


def cut_off_times(version: Rules) -> str:
    """The booking cut-offs by weekday of the pickup, without weekdays that have no pickup."""
    times = {int(day): _cut_off(cut_off) for day, cut_off in version.cut_offs.items() if cut_off}
    if len(times) == 7 and len(set(times.values())) == 1:
        return _("%(time)s every day") % {"time": times[0]}
    return listed(f"{WEEKDAYS[day]} {text}" for day, text in sorted(times.items()))


def delivered_on(version: Rules) -> str:
    """The weekdays of delivery."""
    if len(version.delivery_weekdays) in (0, 7):
        return _("every day")
    return listed(str(WEEKDAYS[day]) for day in sorted(version.delivery_weekdays))


def delivered_by(version: Rules) -> str:
    """The delivery deadline, relative to the day of pickup."""
    params = {"time": f"{version.deliver_by:%H:%M}", "days": version.days_in_transit}
    if not version.days_in_transit:
        return _("%(time)s on the day of pickup") % params
    text = ngettext(
        "%(time)s, %(days)d day after pickup", "%(time)s, %(days)d days after pickup", version.days_in_transit
    )
    return text % params


def price_bands(version: Rules) -> list[str]:
    bands = version.weight_bands
    return [
        f"≤ {kilograms(band['up_to_g'])} kg: +{money_text(yuan(band['surcharge_fen']))}" for band in bands
    ]


def _cut_off(cut_off: dict[str, Any]) -> str:
    if int(cut_off.get("day_offset", 0)):
        return _("%(time)s the day before") % {"time": cut_off["time"]}
    return str(cut_off["time"])
