"""The rules of a courier's application: its states, validation, and missing parts.

Pure: no database and no clock. A database trigger enforces the table of transitions, too; a test compares
the two.
"""

import re
import unicodedata
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from stdnum.cn import uscc
from stdnum.exceptions import InvalidChecksum, InvalidLength
from stdnum.exceptions import ValidationError as NumberError

from alliance.errors import FieldError
from alliance.links import NO_LINKS, has_link
from alliance.phones import LENGTH as PHONE_LENGTH
from alliance.phones import phone_problems, read_phone
from alliance.text_faults import fault_of
from alliance.texts import one_line
from couriers.choices import ApplicationState, DocumentKind, Step

S = ApplicationState

# Rejected is final: a rejected company starts a new application, and the old one stays unchanged.
TRANSITIONS: dict[str, frozenset[str]] = {
    S.DRAFT: frozenset({S.SUBMITTED}),
    S.SUBMITTED: frozenset({S.MORE_NEEDED, S.APPROVED, S.REJECTED}),
    S.MORE_NEEDED: frozenset({S.SUBMITTED, S.REJECTED}),
    S.APPROVED: frozenset(),
    S.REJECTED: frozenset(),
}
EDITABLE = frozenset({S.DRAFT, S.MORE_NEEDED})

STEP_FIELDS: dict[str, tuple[str, ...]] = {
    Step.COMPANY: (
        "legal_name",
        "credit_code",
        "permit_number",
        "founded_on",
        "fleet_size",
        "daily_capacity",
    ),
    Step.CONTACT: ("contact_name", "contact_phone", "contact_email"),
}
LABELS = {
    "legal_name": gettext_lazy("Legal name"),
    "credit_code": gettext_lazy("Unified social credit code"),
    "permit_number": gettext_lazy("Express permit number"),
    "founded_on": gettext_lazy("Founded on"),
    "fleet_size": gettext_lazy("Vehicles in the fleet"),
    "daily_capacity": gettext_lazy("Parcels a day"),
    "contact_name": gettext_lazy("Contact person"),
    "contact_phone": gettext_lazy("Phone"),
    "contact_email": gettext_lazy("E-mail"),
    "cities": gettext_lazy("At least one service city"),
}
REQUIRED_DOCUMENTS = (DocumentKind.BUSINESS_LICENCE, DocumentKind.EXPRESS_PERMIT)

NAME_LENGTH = 200
CONTACT_LENGTH = 120
REASON_LENGTH = 2000
MOST_VEHICLES = 1_000_000
MOST_PARCELS = 100_000_000
# The oldest post offices still in operation are about that old.
OLDEST = date(1800, 1, 1)
_PERMIT = re.compile(r"[\w()\-/ ]{6,40}")


@dataclass(frozen=True, slots=True)
class Missing:
    """One missing part of an application, and its step."""

    step: Step
    field: str
    label: str


def may_become(old: str, new: str) -> bool:
    return new in TRANSITIONS[old]


def tidy(value: object) -> str:
    """Return text in its stored form: one line, no control characters, plain instead of full-width digits."""
    text = one_line(str(value or ""))
    return " ".join("".join(char if unicodedata.category(char)[0] != "C" else " " for char in text).split())


def check_step(
    step: str, values: Mapping[str, Any], *, today: date
) -> tuple[dict[str, Any], list[FieldError]]:
    """Return a step's values in their stored form, and their errors.

    Empty values are valid, because a draft may be incomplete. Values of other steps are ignored.
    """
    clean: dict[str, Any] = {}
    errors: list[FieldError] = []
    for field in STEP_FIELDS[step]:
        if field not in values:
            continue
        clean[field], problem = _CHECKS[field](values[field], today)
        if problem:
            errors.append(FieldError(f"/{field}", problem))
    return clean, errors


def check_reason(reason: str) -> tuple[str, list[FieldError]]:
    """Return a reason in its stored form, and its errors: it must not be empty."""
    if not tidy(reason):
        return "", [FieldError("/reason", _("Enter a reason. The applicant reads it."), "required")]
    return check_note(reason, field="reason")


def check_note(note: str, *, field: str = "note") -> tuple[str, list[FieldError]]:
    """Return a text of several lines in its stored form, with line breaks, and its errors."""
    text = "\n".join(tidy(line) for line in note.replace("\r\n", "\n").split("\n")).strip()
    problem = _too_long(text, REASON_LENGTH)
    return text, [FieldError(f"/{field}", problem)] if problem else []


def missing(values: Mapping[str, Any], *, cities: int, documents: Collection[str]) -> list[Missing]:
    """Return the parts that are missing for the submission, in the order of the steps."""
    lacking = [
        Missing(Step(step), field, str(LABELS[field]))
        for step, fields in STEP_FIELDS.items()
        for field in fields
        if values.get(field) in (None, "")
    ]
    if cities == 0:
        lacking.append(Missing(Step.CITIES, "cities", str(LABELS["cities"])))
    lacking += [
        Missing(Step.DOCUMENTS, kind.value, str(kind.label))
        for kind in REQUIRED_DOCUMENTS
        if kind not in documents
    ]
    return lacking


def _too_long(text: str, limit: int) -> str:
    if len(text) <= limit:
        return ""
    message = _("At most %(limit)d characters; you entered %(length)d.")
    return message % {"limit": limit, "length": len(text)}


def _text(limit: int) -> Callable[[Any, date], tuple[str, str]]:
    def check(value: Any, today: date) -> tuple[str, str]:
        text = tidy(value)
        if problem := _too_long(text, limit):
            return text, problem
        return text, name_problem(text)

    return check


def name_problem(text: str) -> str:
    """Say what is wrong with the name of a company, person or place; empty texts are for others to judge."""
    if text and not any(char.isalpha() for char in text):
        return _("A name must contain letters or Chinese characters.")
    if fault := fault_of(text):
        return fault.message
    return str(NO_LINKS) if has_link(text) else ""


def _credit_code(value: Any, today: date) -> tuple[str, str]:
    # Text pasted from a scanned licence may have full-width characters.
    text = unicodedata.normalize("NFKC", tidy(value))
    if not text:
        return "", ""
    try:
        return uscc.validate(text), ""
    except InvalidLength:
        length = len(uscc.compact(text))
        return text, _("The code has 18 characters; you entered %(length)d.") % {"length": length}
    except InvalidChecksum:
        return text, _("The check character does not match. Compare the code with the business licence.")
    except NumberError:
        return text, _("Eight digits, then ten digits or capital letters without I, O, S, V and Z.")


def _permit_number(value: Any, today: date) -> tuple[str, str]:
    text = unicodedata.normalize("NFKC", tidy(value)).upper()
    if not text or (_PERMIT.fullmatch(text) and any(char.isdigit() for char in text)):
        return text, ""
    return text, _("As printed on the permit: 6 to 40 letters, digits and hyphens, such as 国邮20240123A.")


def _founded_on(value: Any, today: date) -> tuple[date | None, str]:
    if not value:
        return None, ""
    if value > today:
        return value, _("This date is in the future.")
    return value, "" if value >= OLDEST else _("This date is too long ago. Check it.")


def _whole_number(most: int) -> Callable[[Any, date], tuple[int | None, str]]:
    def check(value: Any, today: date) -> tuple[int | None, str]:
        if value in (None, "") or 1 <= value <= most:
            return value or None, ""
        return value, _("Enter a whole number from 1 to %(most)s.") % {"most": f"{most:,}"}

    return check


def _phone(value: Any, today: date) -> tuple[str, str]:
    phone = read_phone(tidy(value))
    problem = next(phone_problems("", phone), None)
    return phone, problem.message if problem else _too_long(phone, PHONE_LENGTH)


def _email(value: Any, today: date) -> tuple[str, str]:
    text = tidy(value)
    try:
        if text:
            validate_email(text)
    except ValidationError as error:
        return text, " ".join(error.messages)
    return text, "" if len(text) <= 254 else _("This address is too long.")


_CHECKS: dict[str, Callable[[Any, date], tuple[Any, str]]] = {
    "legal_name": _text(NAME_LENGTH),
    "credit_code": _credit_code,
    "permit_number": _permit_number,
    "founded_on": _founded_on,
    "fleet_size": _whole_number(MOST_VEHICLES),
    "daily_capacity": _whole_number(MOST_PARCELS),
    "contact_name": _text(CONTACT_LENGTH),
    "contact_phone": _phone,
    "contact_email": _email,
}
