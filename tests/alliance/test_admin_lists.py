"""Lists of the admin: their filters, and their texts when empty."""

from typing import Any

import pytest
from django import forms
from django.contrib import admin
from django.db.models import Model
from django.test import Client, RequestFactory
from django.urls import reverse

from alliance.members.services.actors import actor_of_user
from alliance.models import User
from alliance.tenancy import Scope, scope

FILTERED_BY_COURIER = sorted(
    f"{model._meta.app_label}_{model._meta.model_name}"
    for model, listing in admin.site._registry.items()
    if "courier" in listing.list_filter
)


@pytest.mark.parametrize("name", FILTERED_BY_COURIER)
def test_lists_are_filtered_by_courier(ops_client: Client, name: str, courier) -> None:
    address = reverse(f"admin:{name}_changelist")
    query = {"courier__organisation__exact": courier.organisation_id}

    assert ops_client.get(address, query).status_code == 200


@pytest.mark.parametrize(
    ("model", "lookup"),
    [
        ("parcels_parcel", "merchant__organisation__name"),
        ("parcels_parcel", "recipient_phone__startswith"),
        ("parcels_parcel", "recipient_name"),
        ("parcels_parcel", "pk__gt"),
        ("parcels_parcel", "status__startswith"),
        ("parcels_merchant", "pk__contact__phone__startswith"),
        ("parcels_pickupaddress", "contact_phone__startswith"),
        ("alliance_user", "password__startswith"),
        ("alliance_user", "is_staff__lt__startswith"),
        ("alliance_apikey", "secret_hash__startswith"),
        ("slas_breachlisting", "courier__organisation__contact__phone__startswith"),
        ("django_celery_beat_periodictask", "kwargs__contains"),
    ],
)
def test_lookup_without_a_filter_is_refused(ops_client: Client, model: str, lookup: str) -> None:
    address = reverse(f"admin:{model}_changelist")
    assert ops_client.get(address, {lookup: "1"}).status_code == 400


@pytest.mark.parametrize("model", sorted(admin.site._registry, key=lambda model: model._meta.label))
def test_no_admin_compares_a_column_that_no_filter_names(rf: RequestFactory, model: type[Model]) -> None:
    listing = admin.site._registry[model]
    request = rf.get("/")
    for field in model._meta.get_fields():
        for lookup in ("startswith", "gt", "regex", "contains", "pk__startswith", "in"):
            assert not listing.lookup_allowed(f"{field.name}__{lookup}", "1", request), field.name
    # The columns that a URL may sort by are those of the list.
    sortable = listing.get_sortable_by(request)
    assert {"recipient_phone", "recipient_name", "password", "secret_hash"}.isdisjoint(sortable)


@pytest.mark.parametrize("model", sorted(admin.site._registry, key=lambda model: model._meta.label))
def test_every_filter_that_a_list_offers_is_taken(ops_client: Client, rf: RequestFactory, model: Any) -> None:
    listing = admin.site._registry[model]
    address = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
    with scope(Scope.everything()):
        changes = ops_client.get(address).context_data["cl"]  # type: ignore[attr-defined]
    for spec in changes.filter_specs:
        for name in spec.expected_parameters():
            assert listing.lookup_allowed(name, "1", rf.get("/")), name


def test_empty_read_only_list_has_no_add_link(ops_client: Client) -> None:
    page = ops_client.get(reverse("admin:alliance_retiredmonth_changelist")).content.decode()

    assert "Nothing here yet" in page
    assert "new item" not in page


def test_empty_search_offers_to_reset(ops_client: Client) -> None:
    page = ops_client.get(reverse("admin:couriers_courier_changelist"), {"q": "nobody"}).content.decode()

    assert "No entry matches the filters and the search." in page
    assert "Reset filters" in page


@pytest.mark.parametrize("query", [{}, {"kind__exact": "delivery"}])
def test_uncounted_lists_show_no_count(ops_client: Client, query: dict[str, str]) -> None:
    page = ops_client.get(reverse("admin:slas_breachlisting_changelist"), query).content.decode()

    assert "result" not in page.split("<h1", 1)[1].split("</h1>", 1)[0]


@pytest.mark.parametrize("field", ["", "email", "password", "nothing", "\0"])
def test_row_is_found_by_its_key_only(field: str, ops_client: Client, ops_user: User) -> None:
    address = reverse("admin:alliance_user_change", args=[ops_user.pk])
    assert ops_client.get(address, {"_to_field": field}).status_code in (200, 400)


@pytest.mark.parametrize("model", ["parcels_parcel", "alliance_user", "slas_breachlisting"])
def test_filters_count_nothing(model: str, ops_client: Client) -> None:
    response = ops_client.get(reverse(f"admin:{model}_changelist"), {"_facets": "1"})
    assert not response.context_data["cl"].add_facets  # type: ignore[attr-defined]


def test_forms_drop_characters_that_nobody_sees(ops_user: User, rf: RequestFactory) -> None:
    """A mark of direction in a name of a place or a person turns around what stands beside it."""
    request = rf.get("/")
    request.user = ops_user
    request.actor = actor_of_user(ops_user)  # type: ignore[attr-defined]
    tried = set()
    for model, model_admin in admin.site._registry.items():
        if not model_admin.has_change_permission(request):
            continue
        form = model_admin.get_form(request, change=True)
        for name in set(form.base_fields) - set(form.declared_fields):
            field = form.base_fields[name]
            if isinstance(field, forms.CharField) and field.max_length != 2:
                assert field.clean("a\u202eb\u200bc") == "abc"
                tried.add(f"{model.__name__}.{name}")
    assert {"User.name", "Facility.name"} <= tried
