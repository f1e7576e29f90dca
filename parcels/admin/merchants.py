"""The admin of merchants: their data is corrected, and the limit of their first days lifted."""

# unfold's decorators carry no types.
# mypy: disable-error-code="untyped-decorator"

from types import MappingProxyType
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.decorators import action
from unfold.widgets import UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget, UnfoldBooleanSwitchWidget

from alliance.admin import ReadOnlyAdmin, answer_form
from alliance.admin_compared import LockedMixin
from alliance.choices import OrganisationKind
from alliance.errors import NotFound
from alliance.long_lists import NamedListMixin
from alliance.members.services.contacts import contact_of
from alliance.names import organisations_named
from alliance.sandboxes import OFFSET
from alliance.web.edit_forms import EditForm
from alliance.web.requests import actor_of
from alliance.wording import named
from parcels.bookings.services.merchants import change_merchant, set_limit_lifted
from parcels.models import Merchant


class MerchantForm(EditForm):
    """A merchant's data, and why it is corrected."""

    name = forms.CharField(label=_("Company name"), required=False, widget=UnfoldAdminTextInputWidget())
    contact_name = forms.CharField(
        label=_("Contact person"), required=False, widget=UnfoldAdminTextInputWidget()
    )
    contact_phone = forms.CharField(label=_("Phone"), required=False, widget=UnfoldAdminTextInputWidget())
    reason = forms.CharField(
        label=_("Reason"), required=False, widget=UnfoldAdminTextareaWidget(attrs={"rows": 3})
    )


class LimitForm(forms.Form):
    """Whether a merchant books without the limit of new ones, and why."""

    lifted = forms.BooleanField(
        label=_("Without the limit of new merchants"), required=False, widget=UnfoldBooleanSwitchWidget()
    )
    reason = forms.CharField(
        label=_("Reason"), required=False, widget=UnfoldAdminTextareaWidget(attrs={"rows": 3})
    )


@admin.register(Merchant)
class MerchantAdmin(NamedListMixin, LockedMixin, ReadOnlyAdmin):
    list_display = ("organisation", "status", "contact", "limit_lifted")
    list_select_related = ("organisation__contact",)
    list_filter = ("limit_lifted",)
    search_help_text = _("A part of a name, or a short name")
    fields = ("organisation", "status", "contact")
    readonly_fields = ("status", "contact")
    actions_detail = ("correct", "limit")
    rare = MappingProxyType({"limit_lifted__exact": "1"})
    name_columns = ("organisation__name", "organisation__slug")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Merchant]:
        # Sandboxes are their merchants' own affair.
        return super().get_queryset(request).filter(pk__lt=OFFSET)

    def named(self, text: str, **page: Any) -> list[int]:
        return organisations_named(text, kind=OrganisationKind.MERCHANT, **page)

    @admin.display(description=_("status"), ordering="organisation__status")
    def status(self, merchant: Merchant) -> str:
        return merchant.organisation.get_status_display()

    @admin.display(description=_("contact"))
    def contact(self, merchant: Merchant) -> str:
        contact = getattr(merchant.organisation, "contact", None)
        return " ".join(filter(None, (contact.name, contact.phone, contact.email))) if contact else ""

    @action(description=_("Correct the data"), url_path="correct", icon="edit", permissions=["operate"])
    @transaction.atomic
    def correct(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Correct the name and the contact of a merchant."""
        merchant = self.get_object(request, object_id)
        if merchant is None:
            raise NotFound
        current = {"name": merchant.organisation.name, **contact_of(merchant.pk)}
        return answer_form(
            self,
            request,
            form=MerchantForm(request.POST if request.method == "POST" else None, current=current),
            carry_out=lambda data: change_merchant(
                actor=actor_of(request), merchant_id=merchant.pk, reason=data.pop("reason"), values=data
            ),
            title=named(gettext("Correct the data"), merchant),
            text=gettext("The data changes at once, and the audit keeps the reason."),
            button=gettext("Save"),
            back=reverse("admin:parcels_merchant_change", args=[merchant.pk]),
        )

    @action(description=_("Limit of new merchants"), url_path="limit", icon="speed", permissions=["operate"])
    def limit(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Lift the limit of a merchant's first days, or restore it."""
        merchant = self.get_object(request, object_id)
        if merchant is None:
            raise NotFound
        text = gettext(
            "In its first %(days)d days a merchant may have at most %(limit)d parcels waiting for pickup. "
            "Lift that for a merchant you know. The audit keeps the reason."
        )
        return answer_form(
            self,
            request,
            form=LimitForm(
                request.POST if request.method == "POST" else None, initial={"lifted": merchant.limit_lifted}
            ),
            carry_out=lambda data: set_limit_lifted(actor=actor_of(request), merchant_id=merchant.pk, **data),
            title=f"{gettext('Limit of new merchants')}: {merchant}",
            text=text % {"days": settings.NEW_MERCHANT_DAYS, "limit": settings.NEW_MERCHANT_PARCELS},
            button=gettext("Save"),
            back=reverse("admin:parcels_merchant_change", args=[merchant.pk]),
        )
