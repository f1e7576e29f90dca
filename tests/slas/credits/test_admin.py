"""The admin of credits: schedules by version, the ledger, statements, closing a month."""

from datetime import datetime, timedelta

import pytest
from django.test import Client
from django.utils import timezone

from alliance.errors import Conflict, InvalidInput, NotFound, NotPermitted
from alliance.identifiers import new_parcel_id
from alliance.models import AuditEntry
from alliance.tenancy import Actor, Scope, scope
from slas.admin.credits import bands_text, read_bands
from slas.credits.months import month_of, next_month, spell, start_of
from slas.credits.services.closing import close_month
from slas.credits.services.schedules import ScheduleRules, add_schedule, all_schedules, withdraw_schedule
from slas.models import ClosedMonth, CreditEntry, CreditSchedule, ServiceTier, Statement
from tests import factories
from tests.helpers.owner import execute_as_owner
from tests.slas.helpers.commitments import DAY, NOON, Lane
from tests.slas.helpers.credit_cases import send, work

pytestmark = pytest.mark.django_db
SCHEDULES, MONTHS = "/admin/slas/creditschedule/", "/admin/slas/closedmonth/"
NOW = timezone.now()


@pytest.fixture
def staff_client(db: None) -> Client:
    """Ops staff without a superuser's rights."""
    client = Client()
    client.force_login(
        factories.staff_user("staff@alliance.example"),
        backend="django.contrib.auth.backends.ModelBackend",
    )
    return client


def tier() -> ServiceTier:
    return ServiceTier.objects.get(code="next_day")


def rules(**fields: object) -> ScheduleRules:
    values: dict[str, object] = {
        "valid_from": NOW + DAY,
        "bands": [{"late_by_minutes": 0, "share_percent": 25}],
        "cap_fen": 4_000,
        "lost_fen": 20_000,
        **fields,
    }
    return ScheduleRules(**values)  # type: ignore[arg-type]


def posted(**fields: object) -> dict[str, object]:
    tomorrow = timezone.localtime(NOW + DAY)
    return {
        "tier": tier().pk, "valid_from": f"{tomorrow:%Y-%m-%dT%H:%M}", "bands": "0 25\n1440 60 %\n",
        "cap_fen": "40", "lost_fen": "200.00", **fields,
    }  # fmt: skip


# --- the first versions ------------------------------------------------------------------------


def test_each_tier_has_a_schedule_from_the_first_day() -> None:
    result = {
        schedule.tier.code: (bands_text(schedule.bands).split("\n"), schedule.cap_fen, schedule.lost_fen)
        for schedule in CreditSchedule.objects.filter(number=1).select_related("tier")
    }
    assert result == {
        "same_day": (["0 30", "120 60", "1440 100"], 5_000, 30_000),
        "next_day": (["0 20", "1440 50", "4320 100"], 4_000, 20_000),
        "standard": (["0 10", "1440 30", "4320 60"], 3_000, 10_000),
    }
    for schedule in CreditSchedule.objects.all():
        assert all_schedules().for_parcel(schedule.tier_id, 1) is not None


# --- services ----------------------------------------------------------------------------------


@pytest.mark.usefixtures("everything")
def test_new_version_applies_to_later_bookings(system: Actor) -> None:
    added = add_schedule(actor=system, tier_id=tier().pk, rules=rules(), now=NOW)
    assert added.number == 2
    schedules = all_schedules()
    before, after = (new_parcel_id(added.valid_from + step) for step in (-timedelta(seconds=1), timedelta()))
    assert schedules.for_parcel(tier().pk, before).cap_fen == 4_000  # type: ignore[union-attr]
    assert schedules.for_parcel(tier().pk, after).id == added.pk  # type: ignore[union-attr]
    with scope(Scope.everything()):
        entry = AuditEntry.objects.get(verb="credit_schedule.added")
    assert (entry.detail["tier"], entry.detail["number"]) == ("next_day", 2)


@pytest.mark.parametrize(
    ("fields", "pointer", "code"),
    [
        ({"valid_from": NOW}, "/valid_from", "past"),
        ({"valid_from": NOW + 2_000 * DAY}, "/valid_from", "far"),
        ({"bands": []}, "/bands", "order"),
        ({"bands": [{"late_by_minutes": 5, "share_percent": 5}]}, "/bands", "order"),
        ({"bands": [{"late_by_minutes": 0, "share_percent": 101}]}, "/bands", "order"),
        ({"bands": [{"late_by_minutes": 0}]}, "/bands", "order"),
        ({"cap_fen": -1}, "/cap_fen", "too_large"),
        ({"lost_fen": 10**10}, "/lost_fen", "too_large"),
        ({"cap_fen": 20_001}, "/lost_fen", "order"),
    ],
)
def test_a_schedule_that_makes_no_sense_is_refused(
    system: Actor, fields: dict[str, object], pointer: str, code: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        add_schedule(actor=system, tier_id=tier().pk, rules=rules(**fields), now=NOW)
    assert [(error.pointer, error.code) for error in refused.value.errors] == [(pointer, code)]
    assert CreditSchedule.objects.count() == 3


@pytest.mark.usefixtures("everything")
def test_versions_come_one_after_the_other(system: Actor) -> None:
    add_schedule(actor=system, tier_id=tier().pk, rules=rules(), now=NOW)
    with pytest.raises(InvalidInput) as error:
        add_schedule(actor=system, tier_id=tier().pk, rules=rules(), now=NOW)
    assert error.value.errors[0].code == "order"


@pytest.mark.usefixtures("everything")
def test_only_a_version_not_in_force_can_be_withdrawn(system: Actor) -> None:
    added = add_schedule(actor=system, tier_id=tier().pk, rules=rules(), now=NOW)
    with pytest.raises(Conflict, match="in force must stay"):
        withdraw_schedule(actor=system, schedule_id=added.pk, now=NOW + DAY)
    withdraw_schedule(actor=system, schedule_id=added.pk, now=NOW)
    assert CreditSchedule.objects.count() == 3
    with pytest.raises(NotFound):
        withdraw_schedule(actor=system, schedule_id=added.pk, now=NOW)
    with pytest.raises(NotFound):
        add_schedule(actor=system, tier_id=999, rules=rules(), now=NOW)


def test_only_ops_change_schedules(merchant: Actor, courier: Actor) -> None:
    for actor in (merchant, courier):
        with pytest.raises(NotPermitted):
            add_schedule(actor=actor, tier_id=tier().pk, rules=rules(), now=NOW)
        with pytest.raises(NotPermitted):
            withdraw_schedule(actor=actor, schedule_id=1, now=NOW)


# --- schedules in the admin --------------------------------------------------------------------


def test_ops_announce_a_schedule(staff_client: Client) -> None:
    response = staff_client.post(f"{SCHEDULES}add/", posted())
    assert response["Location"] == SCHEDULES
    added = CreditSchedule.objects.get(number=2)
    assert added.bands == [
        {"late_by_minutes": 0, "share_percent": 25},
        {"late_by_minutes": 1440, "share_percent": 60},
    ]
    assert (added.cap_fen, added.lost_fen) == (4_000, 20_000)
    assert "60 % from 1 d late" in staff_client.get(SCHEDULES).content.decode()


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"tier": "99"}, "Select a valid choice"),
        ({"valid_from": "2020-01-01T00:00"}, "in the future"),
        ({"valid_from": "soon"}, "Enter a valid date/time"),
        ({"bands": ""}, "This field is required"),
        ({"bands": "0 25\nlate much"}, "Line 2: enter minutes and percent"),
        ({"bands": "0 25 30"}, "Line 1: enter minutes and percent"),
        ({"bands": "-5 25"}, "Line 1: enter minutes and percent"),
        ({"bands": "0 25\n60 20"}, "must not be lower than the one before it"),
        ({"bands": "10 25"}, "begins at 0 minutes"),
        ({"bands": "0 250"}, "from 0 to 100 percent"),
        ({"cap_fen": "4,000"}, "Enter the amount in digits"),
        ({"cap_fen": "-1"}, "cannot be negative"),
        ({"lost_fen": "1.234"}, "two decimal places"),
        ({"lost_fen": "39.99"}, "must be credited at least as much"),
    ],
)
def test_invalid_schedule_is_explained(staff_client: Client, fields: dict[str, object], message: str) -> None:
    response = staff_client.post(f"{SCHEDULES}add/", posted(**fields))
    assert response.status_code == 422
    assert message in response.content.decode()
    assert CreditSchedule.objects.count() == 3


def test_the_form_starts_from_the_newest_version(staff_client: Client) -> None:
    form = staff_client.get(f"{SCHEDULES}add/", {"tier": tier().pk}).context["form"]
    assert form.initial["bands"] == "0 20\n1440 50\n4320 100"
    assert (form.initial["cap_fen"], form.initial["lost_fen"]) == ("40.00", "200.00")
    assert read_bands(form.initial["bands"]) == CreditSchedule.objects.get(tier=tier()).bands


def test_schedule_is_withdrawn_before_it_is_in_force(staff_client: Client) -> None:
    staff_client.post(f"{SCHEDULES}add/", posted())
    added = CreditSchedule.objects.get(number=2)
    staff_client.post(f"{SCHEDULES}{added.pk}/delete/", {"post": "yes"})
    assert not CreditSchedule.objects.filter(number=2).exists()
    first = CreditSchedule.objects.get(tier=tier(), number=1)
    assert staff_client.post(f"{SCHEDULES}{first.pk}/delete/", {"post": "yes"}).status_code == 403
    assert staff_client.post(f"{SCHEDULES}{first.pk}/change/", {"cap_fen": 1}).status_code == 403


# --- the ledger and statements -----------------------------------------------------------------


@pytest.fixture
def old_entry(transactional_db: None, lane: Lane) -> CreditEntry:
    """An entry of the month before last, or the one before it."""
    with scope(Scope.everything()):
        send(lane)
        work()
        [entry] = CreditEntry.objects.all()
    # As if written then: entries cannot be changed, so this one replaces another.
    execute_as_owner("TRUNCATE slas_creditentry")
    entry.month = month_of(timezone.now() - 70 * DAY)
    with scope(Scope.everything()):
        entry.save(force_insert=True)
    return entry


def test_the_ledger_is_looked_at_and_searched(staff_client: Client, old_entry: CreditEntry) -> None:
    page = staff_client.get("/admin/slas/creditentry/", {"q": old_entry.number})
    assert old_entry.number in page.content.decode()
    assert "CNY 2.00" in page.content.decode()
    other = staff_client.get("/admin/slas/creditentry/", {"cause__exact": "lost"})
    assert old_entry.number not in other.content.decode()
    change = f"/admin/slas/creditentry/{old_entry.pk}/change/"
    assert spell(old_entry.month) in staff_client.get(change).content.decode()
    assert staff_client.post(change, {"amount_fen": 1}).status_code == 403
    assert staff_client.post("/admin/slas/creditentry/add/", {}).status_code == 403


def test_a_month_is_closed_after_a_look_at_it(staff_client: Client, old_entry: CreditEntry) -> None:
    text = spell(old_entry.month)
    empty = staff_client.get(f"{MONTHS}add/")
    assert text in empty.context["months"]
    assert empty.context["preview"] is None
    preview = staff_client.get(f"{MONTHS}add/", {"month": text})
    assert dict(preview.context["preview"]["rows"]) == {
        "Entries": "1", "Credited": "CNY 2.00", "Reversed": "CNY 0.00", "Total": "CNY 2.00",
        "Statements for merchants": "1", "Statements for couriers": "1",
    }  # fmt: skip
    assert not ClosedMonth.objects.exists()
    response = staff_client.post(f"{MONTHS}add/", {"month": text}, follow=True)
    assert response.redirect_chain[0][0] == "/admin/slas/statement/"
    assert f"{text} is closed: 2 statements, CNY 2.00 in total." in response.content.decode()
    closed = ClosedMonth.objects.get()
    assert closed.closed_by.email == "staff@alliance.example"  # type: ignore[union-attr]
    with scope(Scope.everything()):
        entry = AuditEntry.objects.get(verb="credit_month.closed")
    assert (entry.object_id, entry.detail["entries"]) == (text, 1)


@pytest.mark.parametrize(
    ("month", "message"), [("", "Choose a month"), ("soon", "Choose a month"), ("2084-01", "not over yet")]
)
def test_refused_closing_is_explained(staff_client: Client, month: str, message: str) -> None:
    response = staff_client.post(f"{MONTHS}add/", {"month": month})
    assert response.status_code == 422
    assert message in response.content.decode()
    assert not ClosedMonth.objects.exists()


def test_months_are_closed_in_order(staff_client: Client, old_entry: CreditEntry) -> None:
    last = month_of(start_of(month_of(timezone.now())) - DAY)
    response = staff_client.post(f"{MONTHS}add/", {"month": spell(last)})
    assert response.status_code == 422
    assert f"Close {spell(old_entry.month)} first." in response.content.decode()


def test_a_preview_of_nonsense_is_no_preview(staff_client: Client) -> None:
    response = staff_client.get(f"{MONTHS}add/", {"month": "2019-01"})
    assert (response.status_code, response.context["preview"]) == (200, None)


def test_statements_link_to_the_owners_page(lane: Lane, staff_client: Client, system: Actor) -> None:
    with scope(Scope.everything()):
        send(lane)
        work()
        month = month_of(NOON)
        close_month(actor=system, month=month, now=start_of(next_month(month)))
        statement = Statement.objects.get(organisation=lane.courier)
    page = staff_client.get("/admin/slas/statement/").content.decode()
    address = f"/statements/{spell(month)}/?organisation={lane.courier.public_id}"
    assert address in page
    assert staff_client.get(address).context["sums"].total == "2.00"
    change = f"/admin/slas/statement/{statement.pk}/change/"
    assert "CNY 2.00" in staff_client.get(change).content.decode()
    assert staff_client.post(change, {"total_fen": 1}).status_code == 403


def test_a_closed_month_stays_closed(staff_client: Client, old_entry: CreditEntry) -> None:
    staff_client.post(f"{MONTHS}add/", {"month": spell(old_entry.month)})
    address = f"{MONTHS}{old_entry.month}/"
    assert staff_client.get(f"{address}change/").status_code == 200
    assert staff_client.post(f"{address}delete/", {"post": "yes"}).status_code == 403
    assert isinstance(ClosedMonth.objects.get().closed_at, datetime)
