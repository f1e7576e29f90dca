"""Who may come through which door: every route, method and kind of actor, with the answer they get.

Read `docs/access.md` for the same as tables; `python -m tests.access.table > docs/access.md` writes it.
`test_access.py` knocks at every door as everybody, and fails for a door that is not in the table.
"""

import sys
from typing import Final

from tests.access.rows import Row, get_and_post, pages_of_model, read_only
from tests.access.rules import (
    ADMIN_DOOR,
    API_BOOK,
    API_CLAIM,
    API_EXPORT,
    API_EXPORT_FILE,
    API_FINANCE,
    API_READ,
    API_SCAN,
    API_SCORES,
    API_SEE_OFFERS,
    API_SELL,
    BOOK,
    CLAIM,
    COURIERS,
    DECIDE,
    DESK,
    DRAFT,
    DRAFT_PAPER,
    EXPORT,
    EXPORT_FILE,
    FINANCE,
    KEYS,
    KNOWN,
    LOOK_UP,
    MEMBER_DATA,
    MERCHANT_DATA,
    MERCHANTS,
    OPS,
    PAPER,
    PEOPLE,
    PERSON,
    PUBLIC,
    READ,
    SCAN,
    SECRET,
    SECRETS,
    SEE_OFFERS,
    SELL,
    SIGNED_IN,
    STRANGERS,
    STRANGERS_ONLY,
    SUPERUSER,
    UNMASK,
)

WATCHING = [
    Row("healthz", "GET", PUBLIC),
    Row("favicon", "GET", PUBLIC, own=302),
    Row("robots", "GET", PUBLIC),
    Row("readyz", "GET", PUBLIC),
    Row("metrics", "GET", PUBLIC),
]

KERNEL = [
    Row("home", "GET", PUBLIC, own=302, but=dict.fromkeys(STRANGERS, 200), note="leads on to one's work"),
    Row("demo_progress", "GET", PUBLIC),
    Row("set_language", "GET", PUBLIC, own=302),
    Row("set_language", "POST", PUBLIC, own=302),
    Row("set_theme", "POST", PUBLIC, own=302),
    Row("organisation_switch", "POST", SIGNED_IN, own=404, note="another organisation than courier A",
        but=dict.fromkeys(COURIERS.split(), 302), data={"organisation": "{organisation}"}),
    Row("suspended", "GET", SIGNED_IN),
    Row("onboarding", "GET", SIGNED_IN, own=302, but={"newcomer": 200}, note="others have an organisation"),
    Row("onboarding", "POST", SIGNED_IN, own=302, but={"newcomer": 422}),
    *get_and_post("member_list", PEOPLE, post=422, ops=404),
    *get_and_post("member_edit", PERSON, post=422, rival=404, ops=404, path=("member",)),
    *get_and_post("member_remove", PERSON, post=302, rival=404, ops=404, path=("member",)),
    *[
        Row(f"invitation_{verb}", "POST", PERSON, own=302, rival=404, ops=404, path=("invitation",))
        for verb in ("withdraw", "reinstate")
    ],
    Row("membership_list", "GET", SIGNED_IN),
    Row("membership_leave", "GET", SIGNED_IN, own=404, but=dict.fromkeys(COURIERS.split(), 200),
        path=("organisation",), note="courier A"),
    Row("membership_leave", "POST", SIGNED_IN, own=404, but=dict.fromkeys(COURIERS.split(), 302),
        path=("organisation",), note="courier A; its last owner is told why not"),
    Row("invitation_show", "GET", PUBLIC, path=("invitation_token",), note="the secret of a mail"),
    Row("invitation_answer", "POST", SIGNED_IN, own=404, ops=404, but={"newcomer": 302},
        path=("invitation",), note="of the newcomer"),
    Row("palette_find", "GET", SIGNED_IN, note="finds what the pages it leads to would show"),
    *get_and_post("view_list", READ, post=422, path=("parcels",)),
    *[
        Row(f"view_{verb}", "POST", READ, own=404, rival=404, ops=404, path=("parcels", "saved_view"),
            but={"courier_owner": 422 if verb == "rename" else 302}, note="the owner's own view")
        for verb in ("rename", "default", "delete", "restore")
    ],
    *get_and_post("api_key_list", SECRETS, post=422, ops=404),
    *get_and_post("api_key_revoke", SECRET, post=302, rival=404, ops=404, path=("courier_key",)),
]  # fmt: skip

NO_MEMBER = {"applicant": 404}
# Documents are also added after the approval.
ADDING = {"courier_owner": 200, "courier_manager": 200}
CLOSED = {"courier_owner": 302, "courier_manager": 302}
APPLICATION = [
    Row("couriers:application_edit", "GET", DRAFT, own=302, but={"newcomer": 302, "stray": 302}),
    Row("couriers:application_start", "POST", DRAFT, own=302, but={"rival_courier": 409}),
    Row("couriers:application_view", "GET", DRAFT),
    *get_and_post("couriers:company_edit", DRAFT, post=302, rival=404, but=CLOSED),
    *get_and_post("couriers:contact_edit", DRAFT, post=302, rival=404, but=CLOSED),
    Row("couriers:city_list", "GET", DRAFT, rival=404, but=CLOSED),
    Row("couriers:city_add", "POST", DRAFT, own=302, rival=404, but=CLOSED),
    Row("couriers:city_remove", "POST", DRAFT, own=302, rival=404, but=CLOSED),
    Row("couriers:document_list", "GET", DRAFT, rival=404, but=ADDING),
    Row("couriers:document_list", "POST", DRAFT, own=422, rival=404, but=dict.fromkeys(ADDING, 422)),
    Row("couriers:document_view", "GET", PAPER, path=("document",)),
    Row("couriers:document_view", "GET", DRAFT_PAPER, path=("draft_document",)),
    Row("couriers:document_remove", "GET", DRAFT, rival=404, path=("draft_document",), but=CLOSED),
    Row("couriers:document_remove", "POST", DRAFT, own=302, rival=404, path=("draft_document",)),
    Row("couriers:document_remove", "POST", DRAFT, own=404, path=("document",), but=CLOSED),
    Row("couriers:application_review", "GET", DRAFT, rival=404, but=CLOSED),
    Row("couriers:application_submit", "POST", DRAFT, own=422, rival=404, but=CLOSED),
    Row("couriers:company_data", "GET", MEMBER_DATA, but=NO_MEMBER),
    *get_and_post("couriers:company_contact", MEMBER_DATA, post=422, but=NO_MEMBER),
    *get_and_post("couriers:change_propose", MEMBER_DATA, post=422, but=NO_MEMBER),
    Row("couriers:document_replace", "GET", MEMBER_DATA, rival=404, path=("document",), but=NO_MEMBER),
    Row(
        "couriers:document_replace",
        "POST",
        MEMBER_DATA,
        own=422,
        rival=404,
        path=("document",),
        but=NO_MEMBER,
    ),
    Row("couriers:change_withdraw", "POST", MEMBER_DATA, own=302, rival=404, path=("change",), but=NO_MEMBER),
    Row("couriers:facility_list", "GET", SEE_OFFERS),
]

OFFERS_AND_RATES = [
    Row("slas:offer_list", "GET", SEE_OFFERS),
    *get_and_post("slas:offer_create", SELL, post=422),
    *get_and_post("slas:offer_upload", SELL, post=422),
    Row("slas:offer_template", "GET", SELL),
    Row("slas:offer_file", "GET", SELL, rival=404, path=("offer_file",)),
    Row("slas:offer_file_save", "POST", SELL, own=302, rival=404, ops=302, path=("offer_file",)),
    Row("slas:offer_file_results", "GET", SELL, rival=404, path=("offer_file",)),
    Row("slas:offer_file_rejected", "GET", SELL, rival=404, path=("offer_file",)),
    Row("slas:offer_download", "GET", SEE_OFFERS),
    *get_and_post("slas:offer_edit", SELL, post=422, rival=404, path=("offer",)),
    Row("slas:offer_sale", "POST", SELL, own=302, rival=404, ops=302, path=("offer",)),
    Row("slas:rate_list", "GET", READ),
    Row("slas:rate_download", "GET", EXPORT),
    Row(
        "slas:merchant_options",
        "GET",
        READ,
        note="merchants have no merchants",
        but=dict.fromkeys([*MERCHANTS.split(), "rival_merchant"], 404),
    ),
    Row("slas:breach_list", "GET", READ),
    Row("parcels:breach_detail", "GET", READ, rival=404, path=("broken", "delivery")),
    Row("parcels:breach_detail", "POST", CLAIM, own=422, rival=404, path=("broken", "delivery")),
    *get_and_post("slas:export_list", EXPORT, post=422),
    Row("slas:export_file", "GET", EXPORT_FILE, own=403, rival=404, path=("export",), note="no signed link"),
    Row("slas:excuse_list", "GET", READ),
    Row("slas:excuse_evidence", "GET", READ, rival=404, path=("claim",)),
    *get_and_post("slas:excuse_withdraw", CLAIM, post=302, rival=404, path=("claim",)),
    Row("slas:scorecard_list", "GET", SEE_OFFERS, ops=403, note="ops have everybody's in the admin"),
    Row("slas:scorecard_detail", "GET", SEE_OFFERS, ops=403, path=("scorecard_month",)),
    Row("slas:scorecard_rules", "GET", SIGNED_IN, note="published"),
    Row("slas:promise_rules", "GET", SIGNED_IN, note="published"),
    Row("slas:statement_list", "GET", FINANCE, ops=302, note="ops are led to all statements in the admin"),
    *[
        Row(f"slas:statement_{name}", "GET", FINANCE, ops=422, path=("month",), note="ops must say whose")
        for name in ("detail", "csv", "pdf")
    ],
]

PARCELS = [
    Row("parcels:dashboard_view", "GET", READ, ops=302, note="ops have theirs in the admin"),
    Row("parcels:parcel_list", "GET", READ),
    Row("parcels:parcel_export", "GET", EXPORT),
    Row("parcels:parcel_detail", "GET", READ, rival=404, path=("parcel",)),
    Row("parcels:parcel_unmask", "GET", SIGNED_IN, own=302, path=("parcel",), note="back to the parcel"),
    Row("parcels:parcel_unmask", "POST", UNMASK, rival=404, path=("parcel",)),
    Row("parcels:parcel_revise", "GET", SIGNED_IN, own=302, path=("parcel",), note="back to the parcel"),
    Row("parcels:parcel_revise", "POST", BOOK, own=422, rival=404, path=("parcel",)),
    Row("parcels:watch_list", "GET", READ),
    Row("parcels:track_search", "GET", PUBLIC),
    Row("parcels:track", "GET", PUBLIC, path=("parcel",)),
    Row("parcels:track_revise", "GET", PUBLIC, path=("parcel",), note="the tracking page with its form"),
    Row(
        "parcels:track_revise", "POST", PUBLIC, own=422, path=("parcel",), note="proved by the phone's digits"
    ),
    *get_and_post("parcels:scan_upload", SCAN, post=422, ops=404),
    Row("parcels:scan_file_template", "GET", SCAN, ops=404, note="ops carry nothing"),
    Row("parcels:scan_file", "GET", SCAN, rival=404, ops=404, path=("scan_file",)),
    Row("parcels:scan_file_results", "GET", SCAN, rival=404, ops=404, path=("scan_file",)),
    *get_and_post("parcels:booking_upload", BOOK, post=422, ops=404),
    Row("parcels:booking_template", "GET", BOOK, ops=404, note="ops book for nobody"),
    Row("parcels:booking_file", "GET", BOOK, rival=404, ops=404, path=("booking_file",)),
    Row("parcels:booking_cancel", "POST", BOOK, own=302, rival=404, ops=404, path=("booking_file",)),
    Row("parcels:booking_results", "GET", BOOK, rival=404, ops=404, path=("booking_file",)),
    Row("parcels:booking_problems", "GET", BOOK, rival=404, ops=404, path=("booking_file",)),
    Row("parcels:booking_rejected", "GET", BOOK, rival=404, ops=404, path=("booking_file",)),
    Row("parcels:quote_create", "GET", BOOK, ops=404, note="ops book for nobody"),
    Row("parcels:city_options", "GET", BOOK, ops=404),
    Row("parcels:parcel_book", "GET", BOOK, own=302, ops=404, note="without a quote: back to it"),
    Row("parcels:parcel_book", "POST", BOOK, own=409, ops=404, note="without a quote: nothing to book"),
    Row("parcels:parcel_booked", "GET", BOOK, rival=404, ops=404, path=("parcel",)),
    Row("parcels:parcel_cancel", "POST", BOOK, own=302, rival=404, ops=404, path=("parcel",)),
    *get_and_post("parcels:company_contact", MERCHANT_DATA, post=302),
    Row("parcels:address_list", "GET", BOOK, ops=404),
    *get_and_post("parcels:address_add", BOOK, post=422, ops=404),
    *get_and_post("parcels:address_edit", BOOK, post=422, rival=404, ops=404, path=("address",)),
    Row("parcels:address_restore", "POST", BOOK, own=302, rival=404, ops=404, path=("address",)),
    Row("parcels:address_delete", "POST", BOOK, own=302, rival=404, ops=404, path=("address",)),
]

API = [
    Row("api:schema", "GET", PUBLIC),
    Row("api:docs", "GET", PUBLIC),
    Row("api:slas:tier_list", "GET", KNOWN),
    Row("api:slas:promises", "GET", KNOWN, query="origin=CN-HGH&destination=CN-CTU&tier=next_day"),
    Row("api:slas:closures", "GET", KNOWN),
    Row("api:slas:offer_list", "GET", API_SEE_OFFERS),
    Row("api:slas:offer_list", "PUT", API_SELL, own=422, data={}),
    Row("api:slas:offer_detail", "GET", API_SEE_OFFERS, rival=404, path=("offer",)),
    Row("api:slas:offer_detail", "PATCH", API_SELL, own=422, rival=404, path=("offer",), data={}),
    Row("api:slas:rates", "GET", API_READ),
    Row("api:slas:breaches", "GET", API_READ),
    Row("api:parcels:breach_detail", "GET", API_READ, rival=404, path=("broken", "delivery")),
    Row("api:slas:export_list", "GET", API_EXPORT),
    Row("api:slas:export_list", "POST", API_EXPORT, own=422, data={}),
    Row("api:slas:export_detail", "GET", API_EXPORT_FILE, rival=404, path=("export",)),
    Row(
        "api:slas:export_file",
        "GET",
        API_EXPORT_FILE,
        own=403,
        rival=404,
        path=("export",),
        note="no signed link",
    ),
    Row("api:slas:excuses", "GET", API_READ),
    Row("api:slas:excuses", "POST", API_CLAIM, own=422, data={}),
    Row("api:slas:excuse_withdraw", "POST", API_CLAIM, rival=404, path=("claim",)),
    Row("api:slas:scorecard_list", "GET", API_SCORES),
    Row(
        "api:slas:scorecard_detail",
        "GET",
        API_SCORES,
        ops=422,
        path=("scorecard_month",),
        note="ops say whose",
    ),
    Row("api:slas:scorecard_rules", "GET", KNOWN, note="published"),
    Row("api:slas:statement_list", "GET", API_FINANCE, ops=422, note="ops must say whose"),
    Row("api:slas:statement_detail", "GET", API_FINANCE, ops=422, path=("month",)),
    Row("api:slas:statement_entries", "GET", API_FINANCE, ops=422, path=("month",)),
    Row("api:parcels:city_list", "GET", KNOWN, query="search=Hangzhou"),
    Row("api:parcels:quote_create", "POST", API_BOOK, own=422, data={}),
    Row("api:parcels:pickup_address_list", "GET", API_BOOK),
    Row("api:parcels:parcel_list", "GET", API_READ),
    Row("api:parcels:parcel_list", "POST", API_BOOK, own=422, data={}),
    Row("api:parcels:parcel_batch", "POST", API_BOOK, own=422, data={}),
    Row(
        "api:parcels:booking_files", "POST", API_BOOK, ops=403, own=415, data={}, note="takes multipart only"
    ),
    Row("api:parcels:booking_file", "GET", API_BOOK, ops=403, rival=404, path=("booking_file",)),
    Row(
        "api:parcels:booking_file_cancel",
        "POST",
        API_BOOK,
        ops=403,
        own=409,
        rival=404,
        path=("booking_file",),
    ),
    Row("api:parcels:booking_file_results", "GET", API_BOOK, ops=403, rival=404, path=("booking_file",)),
    Row("api:parcels:parcel_detail", "GET", API_READ, rival=404, path=("parcel",)),
    Row("api:parcels:parcel_cancel", "POST", API_BOOK, rival=404, path=("parcel",)),
    Row("api:parcels:parcel_revisions", "GET", API_READ, rival=404, path=("parcel",)),
    Row("api:parcels:parcel_revisions", "POST", API_BOOK, own=422, rival=404, path=("parcel",), data={}),
    Row("api:parcels:scan_batch", "POST", API_SCAN, own=422, data=[]),
    Row("api:parcels:tracking", "GET", PUBLIC, path=("parcel",)),
    Row("api:parcels:watch_list", "GET", API_READ),
]


ACCOUNT = [
    *get_and_post("account_login", STRANGERS_ONLY, post=200),
    *get_and_post("account_signup", STRANGERS_ONLY, post=200),
    *get_and_post("account_logout", SIGNED_IN, post=302, but=dict.fromkeys(KEYS | {"anonymous"}, 302)),
    *get_and_post("account_reset_password", PUBLIC, post=200),
    Row("account_reset_password_done", "GET", PUBLIC),
    *get_and_post("account_reset_password_from_key", PUBLIC, post=200, path=("1", "set-password")),
    Row("account_reset_password_from_key_done", "GET", PUBLIC),
    *get_and_post("account_confirm_email", PUBLIC, post=404, path=("bogus",)),
    Row("account_email_verification_sent", "GET", PUBLIC),
    Row("account_inactive", "GET", PUBLIC),
    *get_and_post("account_confirm_login_code", SIGNED_IN, own=302, post=302),
    *get_and_post("account_reauthenticate", SIGNED_IN, post=200),
    *get_and_post("account_email", SIGNED_IN, post=302),
    *get_and_post("account_change_password", SIGNED_IN, post=200),
    *get_and_post("account_set_password", SIGNED_IN, own=302, post=302),
    *get_and_post("usersessions_list", SIGNED_IN, post=302),
]


def _decision(name: str, *, post: int) -> list[Row]:
    """Deciding on an application that is decided: without a reason, or to no effect."""
    route = f"admin:couriers_application_{name}"
    return [
        Row(route, "GET", DESK, path=("application",)),
        Row(route, "POST", DESK, ops=post, path=("application",)),
    ]


# Their own password, and an empty index.
STRAY: Final = {"stray": 200}
ADMIN = [
    *read_only("admin:index", LOOK_UP, but=STRAY, everybody=True, note="says that there is no group"),
    *read_only(
        "admin:app_list",
        DESK,
        path=("alliance",),
        but={"service": 404, "stray": 404},
        note="nothing of it is theirs",
    ),
    *read_only("admin:search", LOOK_UP, but=STRAY, query="s=x", note="among what one may see"),
    Row("admin:autocomplete", "GET", LOOK_UP, ops=403, note="no form, no field"),
    Row("admin:jsi18n", "GET", LOOK_UP, but=STRAY),
    *read_only("admin:view_on_site", LOOK_UP, but={"stray": 404}, ops=404, path=("1", "1")),
    *get_and_post("admin:login", ADMIN_DOOR, post=200, but={"stray": 302}, everybody=True),
    Row("admin:logout", "GET", PUBLIC, own=302, but=dict.fromkeys(OPS | {"stray"}, 405), everybody=True),
    Row("admin:logout", "POST", PUBLIC, own=302, but=dict.fromkeys(OPS | {"stray"}, 200), everybody=True),
    *read_only("admin:password_change", LOOK_UP, but={"stray": 302}, ops=302),
    *read_only("admin:password_change_done", LOOK_UP, but={"stray": 302}, ops=302),
    *pages_of_model("alliance_user", "user", SUPERUSER, change=302),
    *pages_of_model("alliance_organisation", "organisation"),
    # Without a reason.
    *get_and_post("admin:alliance_organisation_suspend", DESK, post=422, path=("organisation",)),
    *get_and_post("admin:alliance_organisation_reinstate", DESK, post=422, path=("organisation",)),
    *pages_of_model("alliance_apikey", "courier_key"),
    *pages_of_model("alliance_city", "city"),
    *pages_of_model("alliance_auditentry", "audit_entry"),
    *pages_of_model("alliance_event", "event"),
    *pages_of_model("alliance_heartbeat", "heartbeat"),
    *pages_of_model("alliance_retiredmonth", "retired_month"),
    *pages_of_model("couriers_application", "application"),
    *_decision("ask_for_more", post=422),
    *_decision("approve", post=302),
    *_decision("reject", post=422),
    *pages_of_model("couriers_courier", "courier"),
    *get_and_post("admin:couriers_courier_correct", DESK, post=422, path=("courier",)),
    *pages_of_model("couriers_courierhome", "courier_home"),
    *pages_of_model("couriers_changerequest", "change"),
    *get_and_post("admin:couriers_changerequest_approve", DESK, post=302, path=("change",)),
    *get_and_post("admin:couriers_changerequest_decline", DESK, post=422, path=("change",)),
    *pages_of_model("couriers_facility", "facility", add=(200, 200), change=200),
    *pages_of_model("slas_servicetier", "tier"),
    *pages_of_model("slas_tierversion", "tier_version", add=(200, 422)),
    *pages_of_model("slas_creditschedule", "credit_schedule", add=(200, 422)),
    *pages_of_model("slas_creditentry", "credit_entry"),
    *pages_of_model("slas_statement", "statement"),
    *pages_of_model("slas_closedmonth", "closed_month", add=(200, 422)),
    *pages_of_model("slas_closure", "closure", LOOK_UP, add=(200, 422), delete=(200, 302)),
    Row("admin:slas_closure_holidays", "GET", DESK),
    Row("admin:slas_closure_holidays", "POST", DESK, ops=422),
    *read_only("admin:slas_tierversion_promised", DESK),
    *read_only("admin:slas_tierversion_promised_by", DESK, ops=302, path=("tier_version",)),
    *pages_of_model("slas_offer", "offer"),
    *pages_of_model("slas_offerfile", "offer_file"),
    *pages_of_model("slas_capacityday", "capacity_day"),
    *pages_of_model("slas_commitmentlisting", "commitment", LOOK_UP),
    *pages_of_model("slas_breachlisting", "breach", LOOK_UP),
    *pages_of_model("slas_excuse", "excuse", LOOK_UP),
    Row("admin:slas_excuse_decide", "GET", DECIDE),
    Row("admin:slas_excuse_decide", "POST", DECIDE, own=422),
    *read_only("admin:slas_excuse_decide_one", DECIDE, own=302, path=("claim",)),
    *pages_of_model("slas_disruption", "disruption", LOOK_UP, add=(200, 422), delete=(200, 302)),
    *read_only("admin:slas_disruption_propose", DESK, path=("disruption",)),
    *get_and_post("admin:slas_closure_propose", DESK, post=422, path=("closure",)),
    *pages_of_model("slas_ontimerate", "rate"),
    *pages_of_model("slas_watchitem", "watch_item"),
    *pages_of_model("slas_revision", "revision", add=(200, 422)),
    *pages_of_model("slas_export", "export", add=(200, 422)),
    *pages_of_model("slas_scorecard", "scorecard"),
    *pages_of_model("slas_scorerules", "score_rules", add=(200, 422), delete=(200, 302)),
    *pages_of_model("parcels_parcel", "parcel_id", LOOK_UP),
    # Without a reason.
    Row("admin:parcels_parcel_erase", "GET", DESK, path=("parcel_id",)),
    Row("admin:parcels_parcel_erase", "POST", DESK, ops=422, path=("parcel_id",)),
    *pages_of_model("parcels_merchant", "merchant"),
    *get_and_post("admin:parcels_merchant_correct", DESK, post=422, path=("merchant",)),
    # Without a reason.
    *get_and_post("admin:parcels_merchant_limit", DESK, post=422, path=("merchant",)),
    *pages_of_model("parcels_pickupaddress", "address"),
    *pages_of_model("parcels_bookingfile", "booking_file"),
    *pages_of_model("parcels_scanfile", "scan_file"),
    *pages_of_model("django_celery_beat_periodictask", "periodic_task"),
]

SECTIONS = {
    "Health": WATCHING,
    "Organisation and people": KERNEL,
    "A courier's application": APPLICATION,
    "Offers, rates, breaches": OFFERS_AND_RATES,
    "Parcels": PARCELS,
    "API": API,
    "Accounts": ACCOUNT,
    "Admin": ADMIN,
}
TABLE: Final = [row for rows in SECTIONS.values() for row in rows]


if __name__ == "__main__":
    # Here, because it reads the table.
    from tests.access.page import as_markdown  # noqa: PLC0415

    sys.stdout.write("\n".join(as_markdown()) + "\n")
