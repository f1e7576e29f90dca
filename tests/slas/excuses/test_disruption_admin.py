"""The admin of declared events: declaring, previewing affected breaches, proposing excuses."""

from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from alliance.identifiers import tracking_number
from alliance.models import User
from alliance.tenancy import Actor
from slas.excuses.services.disruptions import Area, Period, declare_disruption
from slas.models import Closure, Commitment, Disruption, Excuse
from tests import factories
from tests.parcels.helpers.parcel_views import text_of
from tests.slas.helpers.commitments import DAY, HOUR, NOON, Lane
from tests.slas.helpers.excuses import at_browser, late_parcel, service_user, states

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("everything")]
DISRUPTIONS = "/admin/slas/disruption/"


@pytest.fixture
def late(lane: Lane) -> int:
    return late_parcel(lane)


@pytest.fixture
def service_client() -> Client:
    return at_browser(service_user())


@pytest.fixture
def staff_client() -> Client:
    return at_browser(factories.staff_user("staff@alliance.example"))


class TestDisruptions:
    ENTRY = {
        "name": "Typhoon Haikui", "reason": "weather", "city": "", "province": "Sichuan", "country": "cn",
        "starts_at": "2026-11-01T08:00", "ends_at": "2026-11-03T08:00", "recovery_hours": "24",
    }  # fmt: skip

    def test_are_declared(self, ops_client: Client, ops_user: User) -> None:
        response = ops_client.post(f"{DISRUPTIONS}add/", self.ENTRY, follow=True)
        assert "Typhoon Haikui was declared." in text_of(response)
        made = Disruption.objects.get()
        assert (made.country, made.province, made.declared_by) == ("CN", "Sichuan", ops_user)
        assert made.ends_at - made.starts_at == 2 * DAY
        assert ops_client.get(f"{DISRUPTIONS}{made.pk}/change/").status_code == 200

    @pytest.mark.parametrize("province", ["四川", "四川省", "sichuan", " Sichuan Province"])
    def test_a_province_has_either_name(self, ops_client: Client, province: str) -> None:
        ops_client.post(f"{DISRUPTIONS}add/", self.ENTRY | {"province": province})
        assert Disruption.objects.get().province == "Sichuan"

    def test_begin_and_end_at_a_time_and_not_at_a_place(self, storm: Disruption, ops_client: Client) -> None:
        ops_client.cookies["django_language"] = "zh-hans"
        for page in (ops_client.get(DISRUPTIONS), ops_client.get(f"{DISRUPTIONS}{storm.pk}/change/")):
            assert "开始" in text_of(page)
            assert "始发地" not in text_of(page)

    @pytest.mark.parametrize(
        ("changes", "field"),
        [
            ({"name": ""}, "name"),
            ({"reason": "bad luck"}, "reason"),
            ({"city": "Atlantis"}, "city"),
            ({"province": "Atlantis"}, "province"),
            ({"city": "Hangzhou", "province": "Sichuan"}, "province"),
            ({"country": "XX"}, "country"),
            ({"ends_at": "2026-10-01T08:00"}, "ends_at"),
            ({"ends_at": "soon"}, "ends_at"),
            ({"starts_at": "1970-01-01T08:00", "ends_at": "1970-01-02T08:00"}, "starts_at"),
            ({"starts_at": "9999-12-31T08:00", "ends_at": "9999-12-31T23:00"}, "starts_at"),
            ({"recovery_hours": "1000"}, "recovery_hours"),
        ],
        ids=str,
    )
    def test_invalid_input_is_shown_in_the_form(
        self, ops_client: Client, changes: dict[str, str], field: str
    ) -> None:
        response = ops_client.post(f"{DISRUPTIONS}add/", self.ENTRY | changes)
        assert response.status_code == 422
        assert list(response.context["form"].errors) == [field]
        assert not Disruption.objects.exists()

    def test_events_without_proposals_can_be_withdrawn(
        self, storm: Disruption, late: int, ops_client: Client
    ) -> None:
        ops_client.post(self.address(storm), {"apply": "yes", "seen": "1"})
        assert ops_client.post(f"{DISRUPTIONS}{storm.pk}/delete/", {"post": "yes"}).status_code == 403
        unused = self.declare(storm.city)
        assert ops_client.post(f"{DISRUPTIONS}{unused.pk}/delete/", {"post": "yes"}).status_code == 302
        assert list(Disruption.objects.all()) == [storm]

    def test_list_counts_exemptions_of_all_events_at_once(
        self, storm: Disruption, late: int, ops_client: Client
    ) -> None:
        ops_client.post(self.address(storm), {"apply": "yes", "seen": "1"})
        statements = []
        for others in (0, 3):
            for _event in range(others):
                self.declare(storm.city)
            ops_client.get(DISRUPTIONS)
            with CaptureQueriesContext(connection) as sent:
                page = ops_client.get(DISRUPTIONS)
            statements.append(len(sent))
            assert [event.exemptions for event in page.context["cl"].result_list] == [*[0] * others, 1]
        assert statements[0] == statements[1]

    def declare(self, city: Any) -> Disruption:
        return declare_disruption(
            actor=Actor.system("test"), name="Typhoon", reason="weather", area=Area(city=city),
            period=Period(NOON - HOUR, NOON + DAY), declared_at=NOON + DAY,
        )  # fmt: skip

    def address(self, storm: Disruption) -> str:
        return reverse("admin:slas_disruption_propose", args=[storm.pk])

    @pytest.fixture
    def storm(self, lane: Lane) -> Disruption:
        return self.declare(lane.destination)

    def test_preview_counts_and_lists_before_anything_is_done(
        self, storm: Disruption, late: int, lane: Lane, ops_client: Client
    ) -> None:
        response = ops_client.get(self.address(storm))
        assert response.context["count"] == 1
        assert dict(response.context["summaries"]) == {
            "By courier": [("Swift Express", 1)],
            "By merchant": [("Lotus Tea", 1)],
        }
        assert tracking_number(late) in text_of(response)
        assert states() == []

    def test_apply_proposes_and_leads_to_the_decision(
        self, storm: Disruption, late: int, ops_client: Client
    ) -> None:
        response = ops_client.post(
            self.address(storm), {"apply": "yes", "seen": "1", "note": "Red alert"}, follow=True
        )
        assert "1 exemption was proposed." in text_of(response)
        assert response.request["QUERY_STRING"] == f"disruption={storm.pk}"
        assert response.context["count"] == 1
        assert states() == [("claimed", "event", "weather")]
        assert Excuse.objects.get().note == "Red alert"
        second_response = ops_client.get(self.address(storm))
        assert second_response.context["count"] == 0
        assert "already have an exemption or a request" in text_of(second_response)

    def test_apply_may_grant_at_once(self, storm: Disruption, late: int, ops_client: Client) -> None:
        response = ops_client.post(
            self.address(storm), {"apply": "yes", "seen": "1", "grant": "on"}, follow=True
        )
        assert "1 exemption was granted." in text_of(response)
        assert states() == [("granted", "event", "weather")]
        assert Commitment.objects.get(parcel_id=late).excused

    def test_customer_service_decides_on_claims_and_proposes_none(
        self, storm: Disruption, late: int, service_client: Client
    ) -> None:
        assert service_client.get(self.address(storm)).status_code == 403
        sent = {"apply": "yes", "seen": "1", "grant": "on"}
        assert service_client.post(self.address(storm), sent).status_code == 403
        assert states() == []

    def test_staff_without_the_role_propose_but_do_not_grant(
        self, storm: Disruption, late: int, staff_client: Client
    ) -> None:
        assert "grant" not in staff_client.get(self.address(storm)).context["form"].fields
        response = staff_client.post(
            self.address(storm), {"apply": "yes", "seen": "1", "grant": "on"}, follow=True
        )
        assert states() == [("claimed", "event", "weather")]
        # They may not decide: they are redirected to the proposed excuses.
        assert (response.status_code, response.request["PATH_INFO"]) == (200, "/admin/slas/excuse/")
        assert "1 exemption was proposed." in text_of(response)

    def test_too_long_note_is_an_error_at_its_field(
        self, storm: Disruption, late: int, ops_client: Client
    ) -> None:
        response = ops_client.post(self.address(storm), {"apply": "yes", "seen": "1", "note": "x" * 2001})
        assert response.status_code == 422
        assert response.context["form"].errors == {"note": ["Enter at most 2000 characters."]}
        assert states() == []

    def test_changes_since_the_preview_are_shown_first(
        self, storm: Disruption, late: int, lane: Lane, ops_client: Client
    ) -> None:
        late_parcel(lane)
        response = ops_client.post(self.address(storm), {"apply": "yes", "seen": "1"})
        assert "The data has changed" in text_of(response)
        assert states() == []
        assert response.context["count"] == 2

    def test_proposals_of_an_unknown_event_are_not_found(self, ops_client: Client) -> None:
        assert ops_client.get(reverse("admin:slas_disruption_propose", args=[999])).status_code == 404

    def test_closures_propose_excuses(self, late: int, lane: Lane, ops_client: Client) -> None:
        closure = Closure.objects.create(
            date=timezone.localtime(NOON).date(), city=lane.destination, country="CN", name="Flood",
            announced_at=NOON + DAY,
        )  # fmt: skip
        address = reverse("admin:slas_closure_propose", args=[closure.pk])
        assert ops_client.get(address).context["count"] == 1
        given = {"reason": "disaster", "recovery_hours": "0", "note": ""}
        assert ops_client.post(address, given).context["count"] == 1
        wrong = ops_client.post(address, given | {"recovery_hours": "-1", "apply": "yes", "seen": "1"})
        assert wrong.status_code == 422
        ops_client.post(address, given | {"apply": "yes", "seen": "1"})
        assert states() == [("claimed", "event", "disaster")]
        assert Excuse.objects.get().closure == closure
