"""A courier's round of a day as PDF."""

from collections.abc import Sequence
from datetime import date

from django.utils.translation import gettext as _
from django.utils.translation import ngettext, pgettext

from alliance.dates import date_text
from alliance.wording import kilograms
from parcels.pickups.pdf import Line, Paper, Stop, render
from parcels.pickups.queries import View


def round_as_pdf(courier: str, day: date, views: Sequence[View], *, is_cut: bool) -> bytes:
    """Draw the stops of a round, as `round_of` returns them."""
    parcels = sum(view.progress.parcels for view in views)
    sums = [
        ngettext("%(n)s stop", "%(n)s stops", len(views)) % {"n": len(views)},
        ngettext("%(n)s parcel", "%(n)s parcels", parcels) % {"n": parcels},
        _("%(weight)s kg") % {"weight": kilograms(sum(view.pickup.weight_g for view in views))},
        _("Times are local at the pickup address."),
    ]
    note = _("Only the first stops of the day are shown. The API lists all.") if is_cut else ""
    paper = Paper(
        title=f"{pgettext('pickups', 'Round')} · {date_text(day, 'DAY_FORMAT')}",
        subtitle=courier,
        sums=" · ".join(sums),
        columns=[pgettext("pickup", "Window"), _("Address"), _("Contact"), _("Parcels")],
        stops=[_stop(view) for view in views],
        note=note,
    )
    return render(paper)


def _stop(view: View) -> Stop:
    address, pickup, progress = view.address, view.pickup, view.progress
    place = [Line(address.address, bold=True)]
    place.append(Line(f"{address.city.name} · {address.name} · {view.merchant}", size=8, grey=True))
    if pickup.note:
        place.append(Line(pickup.note, size=8))
    window = [Line(view.window.hours, size=9.5, bold=True)]
    if view.is_moving and view.proposed:
        text = _("to be moved: %(window)s") % {"window": view.proposed.text}
        window.append(Line(text, size=7, grey=True))
    load = [Line(ngettext("%(n)s parcel", "%(n)s parcels", progress.parcels) % {"n": progress.parcels})]
    load.append(Line(_("%(weight)s kg") % {"weight": kilograms(pickup.weight_g)}, size=8, grey=True))
    if progress.picked_up:
        load.append(Line(_("%(n)s picked up") % {"n": progress.picked_up}, size=8, grey=True))
    contact = [Line(text) for text in (address.contact_name, address.contact_phone) if text]
    return Stop(window, place, contact, load)
