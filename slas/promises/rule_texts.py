"""A tier's rules in a few words each, as pages show them."""

from typing import Any, Final, Protocol

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from alliance.wording import amount, listed
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
    """What is read of a version."""

    cut_offs: Any
    deliver_by: Any
    days_in_transit: int
    delivery_weekdays: Any
    weight_bands: Any


def cut_off_times(version: Rules) -> str:
    """Until when to book, by weekday of the pickup; weekdays without pickup are left out."""
    times = {int(day): _cut_off(given) for day, given in version.cut_offs.items() if given}
    if len(times) == 7 and len(set(times.values())) == 1:
        return _("%(time)s every day") % {"time": times[0]}
    return listed(f"{WEEKDAYS[day]} {text}" for day, text in sorted(times.items()))


def delivered_on(version: Rules) -> str:
    """The weekdays it is delivered on."""
    if len(version.delivery_weekdays) in (0, 7):
        return _("every day")
    return listed(str(WEEKDAYS[day]) for day in sorted(version.delivery_weekdays))


def delivered_by(version: Rules) -> str:
    """By which time of which day after pickup."""
    said = {"time": f"{version.deliver_by:%H:%M}", "days": version.days_in_transit}
    if not version.days_in_transit:
        return _("%(time)s on the day of pickup") % said
    text = ngettext(
        "%(time)s, %(days)d day after pickup", "%(time)s, %(days)d days after pickup", version.days_in_transit
    )
    return text % said


def price_bands(version: Rules) -> list[str]:
    """What a parcel costs on top of the offer's price, by weight."""
    bands = version.weight_bands
    return [f"≤ {band['up_to_g']:,} g: +¥{amount(yuan(band['surcharge_fen']))}" for band in bands]


def _cut_off(given: dict[str, Any]) -> str:
    if int(given.get("day_offset", 0)):
        return _("%(time)s the day before") % {"time": given["time"]}
    return str(given["time"])
