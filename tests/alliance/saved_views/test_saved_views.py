"""Views of lists that users keep: whose they are, what they hold, the default, and taking a deletion back."""

from datetime import timedelta

import pytest
from django.contrib.messages import get_messages
from django.db import IntegrityError, transaction
from django.test import Client
from django.utils import timezone

from alliance.choices import Role
from alliance.errors import Conflict, InvalidInput, NotFound
from alliance.members.services.actors import actor_of_user
from alliance.models import Organisation, SavedView
from alliance.portal.undo import undo_of
from alliance.saved_views import services
from alliance.tenancy import Actor, Scope, scope
from tests import factories
from tests.parcels.helpers.parcel_views import client_of

pytestmark = pytest.mark.django_db
LIST, VIEWS = "/parcels/", "/views/parcels/"


@pytest.fixture
def owner(merchant_organisation: Organisation) -> Actor:
    return actor_of_user(factories.member_user("keeper@lotus.example", merchant_organisation, Role.AGENT))


@pytest.fixture
def page(owner: Actor, merchant_organisation: Organisation) -> Client:
    client = Client()
    with scope(Scope.everything()):
        user = merchant_organisation.members.get(user_id=owner.user_id).user
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


def save(owner: Actor, name: str, query: str = "late=true", **values: bool) -> SavedView:
    with scope(Scope.of(owner)):
        return services.save_view(actor=owner, listing="parcels", name=name, query=query, **values)


def test_filters_and_sort_are_saved_and_offered_above_the_list(page: Client) -> None:
    asked = page.get(
        LIST, {"status": ["lost", "exception"], "sort": "booked", "after": "", "utm_source": "x"}
    )
    views = asked.context["views"]
    assert views.to_save == "sort=booked&status=exception&status=lost"
    form = page.get(VIEWS, {"query": views.to_save})
    assert views.to_save.replace("&", "&amp;") in form.content.decode()
    saved = page.post(VIEWS, {"name": " Stuck\u200b ones ", "query": views.to_save + "&after=x&page=2"})
    assert saved["Location"] == f"{LIST}?{views.to_save}"
    shown = page.get(saved["Location"])
    assert [(str(chip.label), chip.active) for chip in shown.context["views"].chips] == [
        ("All parcels", False), ("Due today", False), ("Late", False), ("On the watch list", False),
        ("Stuck ones", True),
    ]  # fmt: skip
    assert shown.context["views"].to_save == ""


@pytest.mark.parametrize(
    ("name", "query", "phrase"),
    [
        ("", "late=true", "This field is required"),
        ("\u200b", "late=true", "Enter a name for the view."),
        ("x" * 41, "late=true", "Use at most 40 characters."),
        ("a\ue000b", "late=true", "This name has characters that cannot be shown."),
        ("late ones", "late=true", ""),
        ("Late ones", "late=true", "You have a view of this name already."),
        ("Other", "page=3", "there is nothing to save"),
        ("Other", "search=" + "x" * 1_000, "too long to be saved"),
    ],
)
def test_names_and_filters_that_cannot_be_saved_are_told_and_stay(
    owner: Actor, page: Client, name: str, query: str, phrase: str
) -> None:
    save(owner, "Late ones", is_default=True)
    answer = page.post(VIEWS, {"name": name, "query": query, "is_default": "on"})
    assert answer.status_code == (422 if phrase else 302)
    assert phrase in answer.content.decode()
    with scope(Scope.of(owner)):
        default = SavedView.objects.visible_to(owner).get(is_default=True)
    # A refused view does not take the place of the default.
    assert default.name == ("Late ones" if phrase else "late ones")


def test_a_list_has_twenty_views(owner: Actor) -> None:
    for number in range(services.MOST_VIEWS):
        save(owner, f"View {number}")
    with pytest.raises(Conflict, match="delete one first"):
        save(owner, "One more")


def test_list_opens_with_the_default_view_unless_something_else_is_asked(owner: Actor, page: Client) -> None:
    view = save(owner, "Late ones", is_default=True)
    assert page.get(LIST)["Location"] == f"{LIST}?late=true"
    assert page.get(f"{LIST}?all=1").status_code == page.get(f"{LIST}?status=lost").status_code == 200
    shown = page.get(f"{LIST}?late=true")
    assert f'href="{LIST}?all=1"' in shown.content.decode()
    page.post(f"{VIEWS}{view.pk}/default/", {"is_default": "0"})
    assert page.get(LIST).status_code == 200
    page.post(f"{VIEWS}{view.pk}/default/", {"is_default": "1"})
    other = save(owner, "Lost", "status=lost", is_default=True)
    assert page.get(LIST)["Location"] == f"{LIST}?{other.query}"


def test_view_is_renamed_and_a_wrong_name_stays_in_the_form(owner: Actor, page: Client) -> None:
    view, _other = save(owner, "Late ones"), save(owner, "Lost", "status=lost")
    assert page.post(f"{VIEWS}{view.pk}/rename/", {"name": "Too late"}).status_code == 302
    answer = page.post(f"{VIEWS}{view.pk}/rename/", {"name": "Lost"})
    assert answer.status_code == 422
    assert 'value="Lost"' in answer.content.decode()
    assert "You have a view of this name already." in answer.content.decode()


def test_deleted_view_is_restored_by_its_undo(owner: Actor, page: Client) -> None:
    view = save(owner, "Late ones", is_default=True)
    answer = page.post(f"{VIEWS}{view.pk}/delete/")
    [message] = get_messages(answer.wsgi_request)
    undo = undo_of(message)
    assert undo is not None
    assert (str(message), undo.url) == ("The view “Late ones” was deleted.", f"{VIEWS}{view.pk}/restore/")
    shown = page.get(VIEWS)
    assert f'action="{undo.url}"' in shown.content.decode()
    assert "No views yet" in shown.content.decode()
    page.post(undo.url)
    assert page.get(LIST)["Location"] == f"{LIST}?late=true"
    # A second time changes nothing.
    assert page.post(undo.url).status_code == 302


def test_restoring_is_refused_once_the_name_is_taken_or_an_hour_is_over(owner: Actor) -> None:
    view, now = save(owner, "Late ones"), timezone.now()
    with scope(Scope.of(owner)):
        services.delete_view(actor=owner, view_id=view.pk, now=now)
        with pytest.raises(NotFound):
            services.restore_view(actor=owner, view_id=view.pk, now=now + timedelta(hours=1, seconds=1))
    other = save(owner, "Late ones")
    with scope(Scope.of(owner)):
        with pytest.raises(Conflict, match="another view"):
            services.restore_view(actor=owner, view_id=view.pk, now=now)
        services.delete_view(actor=owner, view_id=other.pk, now=now + timedelta(hours=2))
        assert not SavedView.objects.filter(pk=view.pk).exists()


def test_views_are_a_persons_own_in_one_organisation(
    owner: Actor, merchant_organisation: Organisation, rival_merchant: Organisation
) -> None:
    view = save(owner, "Late ones", is_default=True)
    for other in (client_of(merchant_organisation), client_of(rival_merchant)):
        assert other.get(LIST).status_code == 200
        for verb in ("rename", "default", "delete", "restore"):
            assert other.post(f"{VIEWS}{view.pk}/{verb}/", {"name": "x"}).status_code == 404
    with scope(Scope.merchant(rival_merchant.pk)):
        assert not SavedView.objects.exists()
    with pytest.raises(InvalidInput), scope(Scope.of(owner)):
        services.rename_view(actor=owner, view_id=view.pk, name=" ")


def test_unknown_list_has_no_views(page: Client) -> None:
    assert page.get("/views/castles/").status_code == 404


def test_database_holds_one_name_and_one_default_a_list(owner: Actor) -> None:
    save(owner, "Late ones", is_default=True)
    with scope(Scope.of(owner)):
        for name, is_default in (("Late ones", False), ("Other", True), ("", False)):
            with pytest.raises(IntegrityError), transaction.atomic():
                SavedView.objects.create(
                    organisation_id=owner.organisation_id, user_id=owner.user_id, listing="parcels",
                    name=name, query="late=true", is_default=is_default,
                )  # fmt: skip
