"""The page and API of one breach, and claiming an excuse."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone
from rest_framework.test import APIClient

from alliance.models import Organisation
from alliance.tenancy import Actor, Scope, scope
from parcels.models import Parcel
from parcels.scans.rules import ScanFact
from parcels.scans.timelines import remarks_of
from slas.commitments.services.sweeping import sweep_overdue
from slas.excuses.services.decisions import decide_excuses
from slas.models import Breach, Commitment, CreditEntry, CreditSchedule, Excuse, Revision
from tests.parcels.helpers.parcel_views import client_of, scan, some_parcels, text_of
from tests.slas.helpers.excuses import PNG

pytestmark = pytest.mark.django_db
Break = Callable[..., Parcel]
CLAIM = {"reason": "weather", "note": "Typhoon over the province"}


@pytest.fixture
def late(merchant_organisation: Organisation, courier_organisation: Organisation) -> Break:
    """A parcel booked 50 hours ago, picked up in time, and delivered late or not at all."""

    def late(delivered: float | None = 33, **values: Any) -> Parcel:
        [parcel] = some_parcels(merchant_organisation, courier_organisation, hours_ago=50, **values)
        scan(parcel, "picked_up", 2)
        if delivered is not None:
            scan(parcel, "out_for_delivery", delivered - 1)
            scan(parcel, "delivered", delivered)
        sweep_overdue(now=timezone.now())
        return parcel

    return late


@pytest.fixture(autouse=True)
def media(settings: Any, tmp_path: Path) -> Path:
    settings.MEDIA_ROOT = str(tmp_path)
    return tmp_path


def address(parcel: Parcel, kind: str = "delivery") -> str:
    return f"/breaches/{parcel.number}/{kind}/"


def page(client: Client, parcel: Parcel, kind: str = "delivery") -> str:
    response = client.get(address(parcel, kind))
    assert response.status_code == 200
    return text_of(response)


def breach_json(client: APIClient, parcel: Parcel, kind: str = "delivery") -> dict[str, Any]:
    return client.get(f"/api/v1/breaches/{parcel.number}/{kind}").json()


def excuses() -> list[tuple[str, str]]:
    with scope(Scope.everything()):
        return list(Excuse.objects.order_by("pk").values_list("state", "reason"))


def decide(system: Actor, decision: str, note: str = "No proof") -> None:
    with scope(Scope.everything()):
        keys = list(Excuse.objects.values_list("parcel_id", "pk"))
        decide_excuses(actor=system, keys=keys, decision=decision, note=note)


class TestPage:
    @pytest.mark.parametrize("who", ["courier_client", "merchant_client", "ops_client"])
    def test_page_is_the_same_for_courier_merchant_and_ops(
        self, late: Break, who: str, request: pytest.FixtureRequest
    ) -> None:
        text = page(request.getfixturevalue(who), late())
        for phrase in (
            "3 h late",
            "Attributed to The courier No other party named",
            "Time spent: waiting for pickup 2 h; line-haul and sorting 1 d 6 h; last mile 1 h.",
            "Last mile 1 h",
            "What happened Times are local to Chengdu",
            "Delivered",
            "Picked up",
            "Next day",
        ):
            assert phrase in text, phrase

    def test_lateness_counts_until_now_while_undelivered(self, late: Break, courier_client: Client) -> None:
        text = page(courier_client, late(delivered=None))
        assert "19 h 59 min late so far" in text or "20 h late so far" in text
        assert "line-haul and sorting 2 d so far" in text or "1 d 23 h so far" in text

    def test_page_names_the_party_blamed_by_a_scan(self, late: Break, merchant_client: Client) -> None:
        parcel = late(delivered=None)
        scan(parcel, "held", 20, reason="weather_typhoon")
        text = page(merchant_client, parcel)
        assert "The weather The reason given by a scan" in text
        assert "before the due time: Typhoon." in text

    def test_pickup_breach_has_its_own_page(self, late: Break, courier_client: Client) -> None:
        parcel = late()
        assert courier_client.get(address(parcel, "pickup")).status_code == 404
        missed = late(delivered=None)
        with scope(Scope.everything()):
            Commitment.objects.filter(parcel_id=missed.pk, kind="pickup").update(
                due_at=missed.booked_at + timedelta(hours=1), outcome="late"
            )
            Breach.objects.create(
                parcel_id=missed.pk, kind="pickup", merchant_id=missed.merchant_id,
                courier_id=missed.courier_id, tier_id=missed.tier_id, origin_id=missed.origin_id,
                destination_id=missed.destination_id, due_at=missed.booked_at, opened_at=timezone.now(),
            )  # fmt: skip
        text = page(courier_client, missed, "pickup")
        assert "Times are local to Hangzhou" in text
        assert "1 h late" in text
        assert "Picked up 1 h after the promised pickup." in page(courier_client, missed)

    def test_page_shows_a_withdrawn_breach(self, late: Break, courier_client: Client) -> None:
        parcel = late(delivered=None)
        scan(parcel, "delivered", 29, now=timezone.now())
        text = page(courier_client, parcel)
        assert "The promise was kept in the end. The breach was withdrawn on" in text
        assert "counts against no one" in text
        assert "Was attributed to" in text
        assert "On time" in text
        assert "late so far" not in text
        assert "Request an exemption" not in text

    def test_page_shows_revisions_and_which_one_is_judged(self, late: Break, merchant_client: Client) -> None:
        parcel = late()
        with scope(Scope.everything()):
            for hours, asked_by in ((1, "recipient"), (2, "merchant")):
                Revision.objects.create(
                    parcel_id=parcel.pk, kind="delivery", merchant_id=parcel.merchant_id,
                    courier_id=parcel.courier_id, requested_by=asked_by, judged=asked_by == "recipient",
                    previous_due_at=parcel.deliver_by + timedelta(hours=hours - 1), label="Wang",
                    due_at=parcel.deliver_by + timedelta(hours=hours), reason="On holiday",
                )  # fmt: skip
            Commitment.objects.filter(parcel_id=parcel.pk, kind="delivery").update(
                due_at=parcel.deliver_by + timedelta(hours=1)
            )
        text = page(merchant_client, parcel)
        assert "2 h late" in text
        assert "the new date" in text
        assert "The recipient · On holiday · on time is judged by it" in text
        assert "The merchant · On holiday · on time is judged by the earlier date" in text
        # The member who recorded it is an e-mail address, hidden from the other party.
        assert "Wang" not in text

    def test_credits_are_shown_only_with_finance_capability(
        self, late: Break, merchant_client: Client, merchant_organisation: Organisation
    ) -> None:
        parcel = late()
        with scope(Scope.everything()):
            schedule = CreditSchedule.objects.filter(
                tier=parcel.tier
            ).first() or CreditSchedule.objects.create(
                tier=parcel.tier, number=1, valid_from=parcel.booked_at, bands=[], cap_fen=1, lost_fen=1
            )
            CreditEntry.objects.filter(parcel_id=parcel.pk).delete()
            for amount, cause in ((240, "late"), (-40, "excused")):
                CreditEntry.objects.create(
                    parcel_id=parcel.pk, kind="delivery", merchant_id=parcel.merchant_id,
                    courier_id=parcel.courier_id, tier=parcel.tier, schedule=schedule, amount_fen=amount,
                    cause=cause, month=timezone.localdate().replace(day=1), due_at=parcel.deliver_by,
                )  # fmt: skip
        text = page(merchant_client, parcel)
        assert "Delivered late 2.40" in text
        assert "Total 2.00" in text
        assert "Delivered late 2.40" not in page(client_of(merchant_organisation, "viewer"), parcel)

    def test_others_do_not_find_it(
        self, late: Break, rival_courier: Organisation, rival_merchant: Organisation, courier_client: Client
    ) -> None:
        parcel = late()
        for organisation in (rival_courier, rival_merchant):
            assert client_of(organisation).get(address(parcel)).status_code == 404
        for wrong in (
            "/breaches/CA123/delivery/",
            f"/breaches/{parcel.number}/lunch/",
            "/breaches/é/delivery/",
        ):
            assert courier_client.get(wrong).status_code == 404
        assert Client().get(address(parcel))["Location"].startswith("/accounts/login/")

    def test_other_spellings_redirect_to_the_page(self, late: Break, courier_client: Client) -> None:
        parcel = late()
        response = courier_client.get(f"/breaches/{parcel.number.lower()}/delivery/")
        assert (response.status_code, response["Location"]) == (302, address(parcel))

    def test_page_is_linked_from_parcel_and_list(self, late: Break, courier_client: Client) -> None:
        parcel = late()
        for url in (f"/parcels/{parcel.number}/", "/breaches/"):
            assert f'href="{address(parcel)}"' in courier_client.get(url).content.decode()

    def test_page_is_translated_to_chinese(self, late: Break, courier_client: Client) -> None:
        courier_client.cookies["django_language"] = "zh-hans"
        assert courier_client.get(address(late())).status_code == 200


class TestClaiming:
    def test_claim_has_reason_note_and_file(
        self, late: Break, courier_client: Client, merchant_client: Client
    ) -> None:
        parcel = late()
        assert "Request an exemption by" in page(courier_client, parcel)
        assert "Request an exemption" not in page(merchant_client, parcel)
        file = SimpleUploadedFile("storm.png", PNG, "image/png")
        response = courier_client.post(address(parcel), {**CLAIM, "file": file}, follow=True)
        assert "The exemption was requested." in text_of(response)
        assert excuses() == [("claimed", "weather")]
        for client in (courier_client, merchant_client):
            text = page(client, parcel)
            assert "Waiting for a decision Weather" in text
            assert "Typhoon over the province" in text
            assert "storm.png" in text
        assert "Withdraw the request" not in page(merchant_client, parcel)

    @pytest.mark.parametrize(
        ("values", "phrase"),
        [
            ({"reason": ""}, "Choose a reason."),
            ({"reason": "bad luck"}, "Choose a reason."),
            ({"note": "x" * 2001}, "at most 2000 characters"),
            ({"file": ("storm.png", b"")}, "The file is empty."),
            ({"file": ("storm.png", b"GIF89a")}, "not PDF, PNG or JPEG"),
            ({"file": ("storm.pdf", b"%PDF-1.4 cut")}, "The PDF is incomplete."),
        ],
    )
    def test_invalid_input_is_shown_in_the_form(
        self, late: Break, courier_client: Client, values: dict[str, Any], phrase: str
    ) -> None:
        if "file" in values:
            values = {"file": SimpleUploadedFile(*values["file"])}
        response = courier_client.post(address(late()), {**CLAIM, **values})
        assert response.status_code == 422
        assert phrase in text_of(response)
        assert excuses() == []

    def test_obstacle_to_a_claim_is_shown(self, late: Break, courier_client: Client, system: Actor) -> None:
        parcel = late()
        with scope(Scope.everything()):
            breaches = Breach.objects.filter(parcel_id=parcel.pk)
            breaches.update(opened_at=timezone.now() - timedelta(days=14, minutes=1))
        assert "Exemptions can be requested within 14 days" in page(courier_client, parcel)
        again = courier_client.post(address(parcel), CLAIM, follow=True)
        assert "for this breach, until" in text_of(again)
        assert excuses() == []

    def test_second_claim_is_refused(self, late: Break, courier_client: Client, system: Actor) -> None:
        parcel = late()
        courier_client.post(address(parcel), CLAIM)
        assert "already requested" in text_of(courier_client.post(address(parcel), CLAIM, follow=True))
        decide(system, "decline")
        text = text_of(courier_client.post(address(parcel), CLAIM, follow=True))
        assert "Your request was declined" in text
        assert "by the alliance: No proof" in text
        assert excuses() == [("declined", "weather")]

    def test_granted_excuse_decides_the_attribution(
        self, late: Break, courier_client: Client, merchant_client: Client, system: Actor
    ) -> None:
        parcel = late()
        courier_client.post(address(parcel), CLAIM)
        decide(system, "grant")
        text = page(merchant_client, parcel)
        assert "The weather A granted exemption An exemption was granted: Weather." in text
        assert "Exempt" in text

    def test_claim_can_be_withdrawn_until_it_is_decided(
        self, late: Break, courier_client: Client, system: Actor
    ) -> None:
        parcel = late()
        courier_client.post(address(parcel), CLAIM)
        with scope(Scope.everything()):
            excuse = Excuse.objects.get()
        response = courier_client.post(f"/excuses/{excuse.pk}/withdraw/", follow=True)
        assert "The request was withdrawn." in text_of(response)
        assert "Request an exemption by" in text_of(response)
        courier_client.post(address(parcel), CLAIM)
        decide(system, "grant")
        late_again = courier_client.post(f"/excuses/{excuse.pk + 1}/withdraw/", follow=True)
        assert "is already decided" in text_of(late_again)
        assert excuses() == [("withdrawn", "weather"), ("granted", "weather")]

    def test_viewers_merchants_and_ops_cannot_claim(
        self, late: Break, courier_organisation: Organisation, merchant_client: Client, ops_client: Client
    ) -> None:
        parcel = late()
        viewer = client_of(courier_organisation, "viewer")
        assert "Request an exemption" not in page(viewer, parcel)
        for client in (viewer, merchant_client, ops_client):
            assert client.post(address(parcel), CLAIM).status_code == 403
        assert excuses() == []


class TestApi:
    def test_page_shows_the_whole_breach(
        self, late: Break, merchant_api: APIClient, courier_client: Client
    ) -> None:
        parcel = late()
        courier_client.post(address(parcel), CLAIM)
        data = breach_json(merchant_api, parcel)
        assert (data["tracking_number"], data["kind"], data["outcome"]) == (parcel.number, "delivery", "late")
        assert data["late_by_seconds"] == 3 * 3600
        assert data["promise"]["original"] == data["promise"]["judged_by"]
        assert data["attribution"]["party"] == "courier"
        assert [leg["leg"] for leg in data["attribution"]["legs"]] == ["waiting", "linehaul", "last_mile"]
        assert [item["code"] for item in data["scans"]] == ["delivered", "out_for_delivery", "picked_up"]
        [excuse] = data["excuses"]
        assert (excuse["state"], excuse["reason"], excuse["claimed_by"]) == ("claimed", "weather", "courier")

    def test_others_do_not_find_it(
        self, late: Break, courier_api: APIClient, rival_courier: Organisation
    ) -> None:
        parcel = late()
        for number, kind in ((parcel.number, "pickup"), (parcel.number, "lunch"), ("CA123", "delivery")):
            assert courier_api.get(f"/api/v1/breaches/{number}/{kind}").status_code == 404
        assert APIClient().get(f"/api/v1/breaches/{parcel.number}/delivery").status_code == 401


def test_remarks_are_reasons_of_effective_failed_and_held_scans() -> None:
    def fact(key: int, code: str, reason: str = "", corrects: int | None = None) -> ScanFact:
        fact = type("Fact", (), {})()
        fact.event_key, fact.code, fact.reason, fact.corrects = key, code, reason, corrects
        fact.occurred_at, fact.consent = timezone.now(), False
        return fact

    scans = [
        fact(1, "held", "weather_typhoon"),
        fact(2, "attempt_failed", "consignee_absent"),
        fact(3, "attempt_failed", "courier_other"),
        fact(4, "correction", corrects=3),
        fact(5, "arrived", "courier_late_linehaul"),
        fact(6, "held", "something_new"),
    ]
    assert [(remark.reason, remark.text) for remark in remarks_of(scans)] == [
        ("weather_typhoon", "Typhoon"),
        ("consignee_absent", "Recipient absent"),
        ("something_new", "something_new"),
    ]


def test_query_count_does_not_depend_on_scans_and_excuses(
    late: Break, courier_client: Client, django_assert_max_num_queries: Any
) -> None:
    parcel = late()
    for hours in range(3, 30):
        scan(parcel, "held", hours, reason="customs_inspection")
    with django_assert_max_num_queries(24):
        page(courier_client, parcel)


def test_ops_reach_it_from_the_admin(late: Break, ops_client: Client) -> None:
    parcel = late()
    row = ops_client.get(f"/admin/slas/breachlisting/{parcel.pk}_3Adelivery/change/")
    assert address(parcel) in row.content.decode()
