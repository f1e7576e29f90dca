"""The admin of tiers: versions are written through services, the rest is read-only."""

import html
import re
from datetime import date

import pytest
from django.test import Client
from django.utils import timezone

from alliance.errors import Conflict, InvalidInput, NotFound, NotPermitted
from alliance.models import AuditEntry
from alliance.tenancy import Actor, Scope, scope
from slas.admin.tier_forms import cut_off_text, read_cut_off, values_of
from slas.models import ServiceTier, TierVersion
from slas.promises.services.versions import VersionRules, add_version, withdraw_version
from slas.promises.tiers_in_force import tiers_at
from tests.slas.helpers.commitments import DAY, Lane
from tests.slas.helpers.records import put_on_sale

pytestmark = pytest.mark.django_db
VERSIONS = "/admin/slas/tierversion/"
TOMORROW = timezone.localdate() + DAY


# --- tier versions ---------------------------------------------------------------------------


def next_day() -> ServiceTier:
    return ServiceTier.objects.get(code="next_day")


def entered(**fields: object) -> dict[str, object]:
    """The form with its initial values, the rules of the newest version, and some changes."""
    newest = next_day().versions.order_by("-number").first()
    first = {**values_of(newest), "valid_from": f"{TOMORROW}T00:00"}
    if not first.pop("works_on_holidays"):
        return {**first, **fields}
    return {**first, "works_on_holidays": "on", **fields}


def test_a_new_version_comes_into_force_by_itself(staff_client: Client) -> None:
    response = staff_client.post(
        f"{VERSIONS}add/", entered(cut_off_0="-1 20:00", cut_off_6="", pickup_by="21:00")
    )
    assert response["Location"] == VERSIONS
    version = next_day().versions.get(number=2)
    assert version.cut_offs["0"] == {"time": "20:00", "day_offset": -1}
    assert "6" not in version.cut_offs
    assert tiers_at(timezone.now())["next_day"].rule.version == 1
    assert tiers_at(timezone.now() + 2 * DAY)["next_day"].rule.version == 2
    with scope(Scope.everything()):
        assert AuditEntry.objects.filter(verb="tier_version.added").count() == 1


def test_version_announced_meanwhile_is_not_taken_back_unseen(staff_client: Client) -> None:
    stale = entered(deliver_by="21:30", valid_from=f"{TOMORROW + DAY}T00:00")
    staff_client.post(f"{VERSIONS}add/", entered(pickup_by="21:00"))
    response = staff_client.post(f"{VERSIONS}add/", stale)
    page = html.unescape(response.content.decode())
    assert response.status_code == 422
    assert "filled in with Next day v1; the newest is Next day v2 and differs: " in page
    assert "Pickup by: 20:00 → 21:00" in page
    assert 'value="21:30"' in page
    assert next_day().versions.count() == 2
    # Read and sent again, it is meant.
    again = {**stale, "based_on": re.search(r'name="based_on" value="(\d+)"', page)[1]}  # type: ignore[index]
    assert staff_client.post(f"{VERSIONS}add/", again).status_code == 302


def test_rules_of_one_tier_are_not_announced_for_another_unseen(staff_client: Client) -> None:
    other = ServiceTier.objects.get(code="standard")
    response = staff_client.post(f"{VERSIONS}add/", entered(tier=other.pk))
    page = html.unescape(response.content.decode())
    assert response.status_code == 422
    assert "filled in with Next day v1; the newest is Standard v1 and differs: " in page
    assert other.versions.count() == 1


def test_the_form_opens_with_the_newest_rules(staff_client: Client) -> None:
    page = staff_client.get(f"{VERSIONS}add/", {"tier": next_day().pk}).content.decode()
    assert 'value="18:00"' in page
    assert "3000 3.00" in page


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"valid_from": "2020-01-01T00:00"}, "in the future"),
        ({"valid_from": "9999-12-31T23:59"}, "at most three years ahead"),
        ({"cut_off_2": "noon"}, "Enter a time such as 18:00"),
        ({"cut_off_2": "-2 18:00"}, "Enter a time such as 18:00"),
        ({"cut_off_2": "23:00"}, "must not be after the pickup deadline"),
        ({f"cut_off_{day}": "" for day in range(7)}, "at least one weekday"),
        ({"weight_bands": "1000 free"}, "Line 1: enter grams and yuan"),
        ({"weight_bands": "3000 1.00\n1000 2.00"}, "must be above"),
        ({"days_in_transit": "0", "deliver_by": "19:00"}, "must be after the pickup time"),
        ({"delivery_weekdays": []}, "This field is required"),
    ],
)
def test_rules_that_make_no_sense_are_explained(
    staff_client: Client, fields: dict[str, object], message: str
) -> None:
    response = staff_client.post(f"{VERSIONS}add/", entered(**fields))
    assert response.status_code == 422
    assert message in response.content.decode()
    assert next_day().versions.count() == 1


def test_version_in_force_is_read_only(staff_client: Client) -> None:
    version = next_day().versions.get()
    page = staff_client.get(f"{VERSIONS}{version.pk}/change/").content.decode()
    assert "18:00 every day" in page
    assert staff_client.post(f"{VERSIONS}{version.pk}/change/", {"number": 9}).status_code == 403
    assert staff_client.post(f"{VERSIONS}{version.pk}/delete/", {"post": "yes"}).status_code == 403


def test_future_version_can_be_withdrawn(staff_client: Client) -> None:
    staff_client.post(f"{VERSIONS}add/", entered())
    version = next_day().versions.get(number=2)
    staff_client.post(f"{VERSIONS}{version.pk}/delete/", {"post": "yes"})
    assert not TierVersion.objects.filter(pk=version.pk).exists()
    with scope(Scope.everything()):
        assert AuditEntry.objects.filter(verb="tier_version.withdrawn").count() == 1


def rules(**fields: object) -> VersionRules:
    version = next_day().versions.order_by("-number").first()
    given = {name: getattr(version, name) for name in VersionRules.__slots__}
    return VersionRules(**{**given, "valid_from": timezone.now() + DAY, **fields})


def test_versions_follow_each_other(everything: None, system: Actor) -> None:
    tier, now = next_day(), timezone.now()
    assert add_version(actor=system, tier_id=tier.pk, rules=rules(), now=now).number == 2
    with pytest.raises(InvalidInput) as error:
        add_version(actor=system, tier_id=tier.pk, rules=rules(valid_from=now + DAY / 2), now=now)
    assert error.value.errors[0].pointer == "/valid_from"


def test_only_ops_change_rules(courier: Actor, system: Actor) -> None:
    version = next_day().versions.get()
    with pytest.raises(NotPermitted):
        add_version(actor=courier, tier_id=version.tier_id, rules=rules(), now=timezone.now())
    with pytest.raises(NotPermitted):
        withdraw_version(actor=courier, version_id=version.pk, now=timezone.now())
    with scope(Scope.everything()):
        with pytest.raises(Conflict):
            withdraw_version(actor=system, version_id=version.pk, now=timezone.now())
        with pytest.raises(NotFound):
            withdraw_version(actor=system, version_id=0, now=timezone.now())
        with pytest.raises(NotFound):
            add_version(actor=system, tier_id=0, rules=rules(), now=timezone.now())


@pytest.mark.parametrize("text", ["18:00", "-1 18:00"])
def test_cut_offs_are_formatted_as_they_are_parsed(text: str) -> None:
    assert cut_off_text(read_cut_off(text)) == text


# --- to look at ------------------------------------------------------------------------------


def test_offers_and_capacity_are_only_looked_at(lane: Lane, staff_client: Client) -> None:
    offer = put_on_sale(lane)
    with scope(Scope.everything()):
        offer.days.create(courier_id=lane.courier.pk, date=date(2026, 1, 5), limit=10, reserved=3)
    page = staff_client.get("/admin/slas/offer/").content.decode()
    assert "CNY 12.00" in page
    assert "Hangzhou → Chengdu" in staff_client.get("/admin/slas/capacityday/").content.decode()
    for address in ("offer", "capacityday", "servicetier"):
        assert staff_client.get(f"/admin/slas/{address}/add/").status_code == 403
    assert staff_client.post(f"/admin/slas/offer/{offer.pk}/change/", {"price_fen": 1}).status_code == 403
    assert staff_client.post(f"/admin/slas/offer/{offer.pk}/delete/", {"post": "yes"}).status_code == 403


def test_tiers_show_the_version_in_force(staff_client: Client) -> None:
    page = staff_client.get("/admin/slas/servicetier/").content.decode()
    assert page.count("v1") >= 3


def test_members_do_not_come_in(courier_client: Client) -> None:
    for address in (VERSIONS, f"{VERSIONS}add/"):
        assert courier_client.get(address)["Location"].startswith("/admin/login/")
