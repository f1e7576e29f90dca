"""A merchant's templates: which columns of its files are ours, and what the files do not say."""

import hashlib
from collections.abc import Sequence
from typing import Final

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from alliance import audit
from alliance.choices import Capability
from alliance.csv_files.columns import column_key
from alliance.errors import FieldError, InvalidInput, NotFound, NotPermitted
from alliance.tenancy import Actor, require
from alliance.texts import one_line
from parcels.booking_files.mappings import ColumnMapping
from parcels.booking_files.models import BookingTemplate

MOST_TEMPLATES: Final = 100
_NAME_LENGTH: Final = 80


def save_template(
    *, actor: Actor, name: str, header: Sequence[str], mapping: ColumnMapping
) -> BookingTemplate:
    """Keep a mapping under a name; one of this name is written over. Raises InvalidInput for the name."""
    require_template_owner(actor)
    name = one_line(name)
    if not name or len(name) > _NAME_LENGTH:
        message = _("Enter a name of up to %(most)d characters.") % {"most": _NAME_LENGTH}
        raise InvalidInput(errors=[FieldError("/save_as", message)])
    values = {
        "columns": [list(pair) for pair in mapping.columns],
        "values": dict(mapping.values),
        "takes_numbers": mapping.takes_numbers,
        "one_row_each": mapping.one_row_each,
        "header_key": header_key(header),
    }
    templates = BookingTemplate.objects.visible_to(actor)
    if templates.count() >= MOST_TEMPLATES and not templates.filter(name=name).exists():
        message = _("There are %(most)d templates already. Remove one that is no longer used.")
        raise InvalidInput(errors=[FieldError("/save_as", message % {"most": MOST_TEMPLATES})])
    try:
        with transaction.atomic():
            template, is_new = BookingTemplate.objects.update_or_create(
                merchant_id=actor.tenant_id, name=name, defaults=values
            )
    except IntegrityError:
        # A colleague saved one of this name at the same moment: the later one counts.
        template, is_new = BookingTemplate.objects.visible_to(actor).get(name=name), False
        for field, value in values.items():
            setattr(template, field, value)
        template.save()
    _record(actor, "booking_template.added" if is_new else "booking_template.changed", template)
    return template


def remove_template(*, actor: Actor, template_id: int) -> str:
    """Remove a template and return its name. Raises NotFound for those of others."""
    require_template_owner(actor)
    template = BookingTemplate.objects.visible_to(actor).filter(pk=template_id).first()
    if template is None:
        raise NotFound
    _record(actor, "booking_template.removed", template)
    template.delete()
    return template.name


def template_named(actor: Actor, name: str) -> BookingTemplate:
    """Return a merchant's template. Raises InvalidInput for the field `template`."""
    templates = BookingTemplate.objects.visible_to(actor)
    template = templates.filter(name=one_line(name)).first()
    if template is None:
        names = ", ".join(templates.order_by("name").values_list("name", flat=True)[:10])
        message = _("There is no template “%(name)s”.") % {"name": one_line(name)[:_NAME_LENGTH]}
        if names:
            message += " " + _("Yours are: %(names)s.") % {"names": names}
        raise InvalidInput(errors=[FieldError("/template", message, "unknown")])
    return template


def template_for(actor: Actor, header: Sequence[str]) -> BookingTemplate | None:
    """The latest template that was made for a file with these columns."""
    templates = BookingTemplate.objects.visible_to(actor).filter(header_key=header_key(header))
    return templates.order_by("-updated_at").first()


def header_key(header: Sequence[str]) -> str:
    """A digest of the names of columns, in any order."""
    names = sorted(filter(None, map(column_key, header)))
    return hashlib.sha256("\n".join(names).encode()).hexdigest()


def require_template_owner(actor: Actor) -> None:
    require(actor, Capability.BOOK_PARCELS)
    if not actor.is_merchant:
        raise NotPermitted(_("Only merchants can book parcels."))


def _record(actor: Actor, verb: str, template: BookingTemplate) -> None:
    audit.record(
        actor=actor,
        verb=verb,
        object_type="booking_template",
        object_id=template.pk,
        detail={"name": template.name},
    )
