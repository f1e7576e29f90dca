"""Django's `date` filter, without the year when it is this one. Settings make it a builtin."""

from datetime import date
from typing import Any

from django import template
from django.template.defaultfilters import date as django_date

from alliance.dates import OF_THIS_YEAR, date_text

register = template.Library()


@register.filter("date", expects_localtime=True, is_safe=False)
def written(value: Any, form: str | None = None) -> str:
    form = form or "DATE_FORMAT"
    if form in OF_THIS_YEAR and isinstance(value, date):
        return date_text(value, form)
    return django_date(value, form)
