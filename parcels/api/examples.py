"""Examples of the API's requests and answers; a test validates each against its schema."""

from typing import Any

from drf_spectacular.utils import OpenApiExample

from alliance.events import Topic
from alliance.public_ids import IdKind, public_id

NUMBER = "CA180HFPF3JNCPRS"
_COURIER = {"courier": public_id(IdKind.COURIER, 21), "courier_name": "Swift Express"}
_ADDRESS = public_id(IdKind.PICKUP_ADDRESS, 12)
_MERCHANT = {"merchant": public_id(IdKind.MERCHANT, 35), "merchant_name": "Lotus Tea"}
_LANE = {"origin": "CN-HGH", "destination": "CN-CTU", "weight_g": 800}
_ENDS = {
    "origin": "CN-HGH",
    "origin_name": "Hangzhou",
    "destination": "CN-CTU",
    "destination_name": "Chengdu",
}
_RECIPIENT = {"name": "王小明", "phone": "13812345678", "address": "人民南路四段12号3单元1203室"}
_MASKED = {"name": "王**", "phone": "138******78", "address": "人民南路四段***号***单元***室"}
# Without a ready time, which would have passed when somebody sends the example.
_BOOKING = {**_LANE, "tier": "next_day", "recipient": _RECIPIENT, "reference": "SO-2026-1187"}
_ORDER = {
    **{name: value for name, value in _BOOKING.items() if name != "weight_g"},
    "pieces": [{"weight_g": 800}, {"weight_g": 1_500}],
}
_PARCELS_OF_ORDER = {
    "total_price": "27.00",
    "parcels": [
        {
            "tracking_number": NUMBER,
            "piece": 1,
            "piece_count": 2,
            "weight_g": 800,
            "price": "12.00",
            "declared_value": None,
        },
        {
            "tracking_number": "CA180HFPF3JNX5RW",
            "piece": 2,
            "piece_count": 2,
            "weight_g": 1_500,
            "price": "15.00",
            "declared_value": None,
        },
    ],
}
_BRIEF_PROMISE: dict[str, Any] = {
    "original": "2026-11-24T20:00:00+08:00",
    "current": "2026-11-24T20:00:00+08:00",
    "pickup_date": "2026-11-23",
    "pickup_by": "2026-11-23T20:00:00+08:00",
    "cut_off_at": "2026-11-23T18:00:00+08:00",
    "rolled": False,
    "rolled_days": 0,
    "full_on": [],
    "note": "",
    "tier_version": 1,
}
_STEP = {
    "code": "cut_off_kept",
    "day": "2026-11-23",
    "at": "2026-11-23T18:00:00+08:00",
    "text": "In time for the cut-off in Hangzhou, 18:00, so pickup is on Mon 23 Nov 2026.",
}
_PROMISE = {**_BRIEF_PROMISE, "steps": [_STEP]}
_OFFER = {
    **_COURIER,
    "grade": "gold",
    "tier": "next_day",
    "price": "12.00",
    "promise": _PROMISE,
    "capacity_left": 37,
    "full": False,
    "instead": None,
    "cut_off_in_seconds": 28_800,
    "on_time": {
        "days": 30, "n": 412, "accountable_rate": 0.971, "raw_rate": 0.954, "lower_bound": 0.950,
        "excused": 7, "few": False,
    },
    "recommended": True,
    "ranking_reason": {
        "code": "price",
        "text": "The lowest price among the couriers with the best on-time record on this lane."
        " The courier's grade is Gold.",
        "rule": None,
    },
}  # fmt: skip
_BOOKED = {
    "tracking_number": NUMBER,
    "reference": "SO-2026-1187",
    "status": "booked",
    "tier": "next_day",
    **_COURIER,
    "price": "12.00",
    "currency": "CNY",
    "declared_value": None,
}
_REJECTED = {
    "index": 1,
    "status": "rejected",
    "reference": "SO-2026-1188",
    "type": "urn:alliance:problem:invalid",
    "detail": "Some of the input is not valid",
    "errors": [{"pointer": "/1/weight_g", "detail": "A parcel weighs at least 1 g.", "code": "min_value"}],
}
_STATED_PROMISE = {
    "original": "2026-11-24T20:00:00+08:00",
    "current": "2026-11-24T20:00:00+08:00",
    "judged_by": "2026-11-24T20:00:00+08:00",
    "moved_by": None,
    "outcome": "pending",
    "reached_at": None,
    "is_late": False,
    "late_by_seconds": None,
}
_PARCEL = {
    "tracking_number": NUMBER,
    "reference": "SO-2026-1187",
    "is_test": False,
    "piece": 1,
    "piece_count": 1,
    "order": None,
    "status": "delivered",
    "status_text": "Delivered",
    "status_at": "2026-11-24T16:12:00+08:00",
    "contradiction": None,
    "next_step": "Nothing more. The delivery is complete.",
    "promise": {
        **_STATED_PROMISE,
        "outcome": "met",
        "reached_at": "2026-11-24T16:12:00+08:00",
        "pickup_date": "2026-11-23",
        "pickup_by": "2026-11-23T20:00:00+08:00",
    },
    "lost": None,
    "expected": None,
    "tier": "next_day",
    **_MERCHANT,
    **_COURIER,
    **_ENDS,
    "weight_g": 800,
    "declared_value": None,
    "price": "12.00",
    "currency": "CNY",
    "booked_at": "2026-11-23T09:41:00+08:00",
    "ready_at": "2026-11-23T10:00:00+08:00",
    "delivered_at": "2026-11-24T16:12:00+08:00",
    "cancelled_at": None,
    "recipient": _MASKED,
    "sender": None,
    "return_of": None,
    "returned_by": None,
    "return_cancelled_at": None,
    "recipient_erased_at": None,
}
_AS_BOOKED: dict[str, Any] = {
    **_PARCEL,
    "status": "booked",
    "status_text": "Booked",
    "status_at": "2026-11-23T09:41:00+08:00",
    "next_step": "Swift Express picks it up from the sender.",
    "promise": {**_PROMISE, **_STATED_PROMISE, "outcome": "pending", "reached_at": None},
    "expected": {
        "p50_at": "2026-11-24T15:00:00+08:00",
        "p90_at": "2026-11-24T19:00:00+08:00",
        "precision": "day",
        "chance_late": 0.0412,
        "basis": "courier_lane",
    },
    "delivered_at": None,
}
_TRACKED: dict[str, Any] = {
    "tracking_number": NUMBER,
    "is_test": False,
    "status": "out_for_delivery",
    "status_text": "Out for delivery",
    "status_at": "2026-11-24T09:20:00+08:00",
    "explanation": "The parcel is with the driver.",
    "next_step": "The driver will deliver it on this round.",
    "to_do": ["If another day suits you better, choose it below."],
    "ask": "Questions? Ask Swift Express and give the tracking number, or ask the shop.",
    "equivalents": {"aftership": "OutForDelivery", "easypost": "out_for_delivery", "kuaidi100": "5"},
    **_COURIER,
    "tier": "next_day",
    **_ENDS,
    "origin_time_zone": "Asia/Shanghai",
    "destination_time_zone": "Asia/Shanghai",
    "promise": _STATED_PROMISE,
    "lost": None,
    "expected": {
        "p50_at": "2026-11-24T16:00:00+08:00",
        "p90_at": "2026-11-24T19:00:00+08:00",
        "precision": "hour",
        "chance_late": 0.0412,
        "basis": "courier_lane",
    },
    "revisions": [],
    "events": [
        {
            "code": "out_for_delivery",
            "text": "Out for delivery",
            "occurred_at": "2026-11-24T09:20:00+08:00",
            "facility": "CTU-03",
            "reason": "",
            "withdrawn": False,
        }
    ],
    "events_next": None,
}


def _request_example(name: str, value: object) -> OpenApiExample:
    return OpenApiExample(name, value=value, request_only=True)


def _answer_example(name: str, value: object, status: int = 200) -> OpenApiExample:
    return OpenApiExample(name, value=value, response_only=True, status_codes=[str(status)])


QUOTE = [
    _request_example("A parcel to Chengdu", {**_LANE, "tier": "next_day"}),
    _answer_example(
        "One offer",
        {
            "quoted_at": "2026-11-23T02:00:00+00:00",
            **_ENDS,
            "weight_g": 800,
            "ready_at": "2026-11-23T10:00:00+08:00",
            "currency": "CNY",
            "offers": [_OFFER],
            "unavailable": [],
        },
    ),
]
BOOKING = [
    _request_example("A parcel to Chengdu", _BOOKING),
    _answer_example("Booked", _AS_BOOKED, 201),
    _request_example("An order of two parcels", _ORDER),
    _answer_example(
        "Order booked",
        {**_AS_BOOKED, "piece_count": 2, "order": NUMBER, **_PARCELS_OF_ORDER},
        201,
    ),
]
BATCH = [
    _request_example("Two parcels", [_BOOKING, {**_BOOKING, "reference": "SO-2026-1188"}]),
    _answer_example(
        "One booked, one rejected",
        {
            "booked": 1,
            "rejected": 1,
            "results": [{"index": 0, **_BOOKED, "promise": _BRIEF_PROMISE}, _REJECTED],
        },
    ),
]
PARCEL = [_answer_example("Delivered on time", _PARCEL)]
PARCELS = [_answer_example("The only page", {"next": None, "previous": None, "results": [_PARCEL]})]
CANCELLED = [
    _answer_example(
        "Called off",
        {
            **_PARCEL,
            "status": "cancelled",
            "status_text": "Cancelled",
            "status_at": "2026-11-23T11:00:00+08:00",
            "next_step": "It will not be delivered.",
            "promise": None,
            "cancelled_at": "2026-11-23T11:00:00+08:00",
            "delivered_at": None,
        },
    )
]
CANCELLED_BATCH = [
    _request_example("Two parcels", [NUMBER, "CA2K7W9X0M3N5P8"]),
    _answer_example(
        "One cancelled, one with a typing mistake",
        {
            "cancelled": 1,
            "rejected": 1,
            "results": [
                {
                    "index": 0,
                    "tracking_number": NUMBER,
                    "status": "cancelled",
                    "cancelled_at": "2026-11-23T11:00:00+08:00",
                },
                {
                    "index": 1,
                    "tracking_number": "CA2K7W9X0M3N5P8",
                    "status": "rejected",
                    "type": "urn:alliance:problem:unknown_tracking_number",
                    "detail": "A tracking number has 16 letters and digits, not 15.",
                    "errors": [
                        {
                            "pointer": "/1",
                            "detail": "A tracking number has 16 letters and digits, not 15.",
                            "code": "length",
                        }
                    ],
                },
            ],
        },
    ),
]
REVISION = [
    _request_example(
        "The shop's wish", {"day": "2026-11-26", "reason": "The recipient wrote that she is away until then."}
    ),
]
TRACKING = [_answer_example("On its last mile", _TRACKED)]
# The schema generator wraps each of these into a batch of one.
SCANS = [
    _request_example(
        "Picked up",
        {
            "tracking_number": NUMBER,
            "code": "picked_up",
            "occurred_at": "2026-11-23T19:05:00+08:00",
            "facility": "HGH-01",
        },
    ),
    _request_example(
        "Nobody at home",
        {
            "tracking_number": NUMBER,
            "code": "attempt_failed",
            "reason": "consignee_absent",
            "occurred_at": "2026-11-24T15:40:00+08:00",
            "event_id": "8842-17",
        },
    ),
    _answer_example(
        "One is new, one has a mistyped number",
        {
            "accepted": 1,
            "duplicate": 0,
            "rejected": 1,
            "rejections": [
                {
                    "index": 1,
                    "pointer": "/1/tracking_number",
                    "code": "bad_tracking_number",
                    "detail": "A tracking number has 16 letters and digits, not 3.",
                }
            ],
            "warnings": [],
        },
    ),
]

LABELS = [
    OpenApiExample(
        "Two labels, one of them rejected",
        value={"tracking_numbers": [NUMBER, "CA0000000000000X"], "format": "pdf", "size": "76x130"},
        request_only=True,
    ),
    OpenApiExample(
        "The file, and what was rejected",
        value={
            "made": 1,
            "rejected": 1,
            "results": [
                {"index": 0, "tracking_number": NUMBER, "status": "made", "page": 1, "reprint": False},
                {
                    "index": 1,
                    "tracking_number": "CA0000000000000X",
                    "status": "rejected",
                    "type": "urn:alliance:problem:unknown_tracking_number",
                    "detail": "This tracking number contains a typing mistake.",
                    "errors": [],
                },
            ],
            "label_file": {
                "name": f"label-{NUMBER}.pdf",
                "content_type": "application/pdf",
                "content_base64": "JVBERi0x",
            },
        },
        response_only=True,
        media_type="application/json",
        status_codes=["200"],
    ),
]
RECIPIENT = [
    OpenApiExample(
        "A recipient", {**_RECIPIENT, "city": "CN-CTU", "remark": "Ring twice"}, request_only=True
    ),
]

PICKUP = [
    _request_example(
        "Two parcels between ten and twelve",
        {
            "starts_at": "2026-11-23T10:00:00+08:00",
            "ends_at": "2026-11-23T12:00:00+08:00",
            "tracking_numbers": [NUMBER, "CA2K7W9X0M3N5P8"],
            "note": "Gate 3",
        },
    ),
    _answer_example(
        "One requested, one with a typing mistake",
        {
            "id": public_id(IdKind.PICKUP, 1182),
            "state": "requested",
            "day": "2026-11-23",
            "window": {"starts_at": "2026-11-23T10:00:00+08:00", "ends_at": "2026-11-23T12:00:00+08:00"},
            "proposed": None,
            **_MERCHANT,
            **_COURIER,
            "pickup_place": {
                "id": _ADDRESS,
                "name": "Warehouse",
                "city": "CN-HGH",
                "city_name": "Hangzhou",
                "address": "文三路90号",
                "contact_name": "陈晓燕",
                "contact_phone": "0571 8502 2088",
            },
            "parcel_count": 1,
            "picked_up": 0,
            "missed": 0,
            "weight_g": 800,
            "note": "Gate 3",
            "answer": "",
            "requested_at": "2026-11-23T09:00:00+08:00",
            "answered_at": None,
            "results": [
                {"index": 0, "tracking_number": NUMBER, "status": "requested"},
                {
                    "index": 1,
                    "status": "rejected",
                    "type": "urn:alliance:problem:unknown_tracking_number",
                    "detail": "A tracking number has 16 letters and digits, not 15.",
                    "errors": [
                        {
                            "pointer": "/tracking_numbers/1",
                            "detail": "A tracking number has 16 letters and digits, not 15.",
                            "code": "length",
                        }
                    ],
                },
            ],
        },
        status=201,
    ),
]

WINDOW = [
    _request_example(
        "Between two and four",
        {"starts_at": "2026-11-23T14:00:00+08:00", "ends_at": "2026-11-23T16:00:00+08:00"},
    ),
]
PICKUP_DECLINED = [_request_example("No car", {"note": "All our vans are out on that day."})]

NUMBERS_OFF = [_request_example("One that is not packed yet", {"tracking_numbers": ["CA180HFPF3JNCPRS"]})]

RETURN = [
    _request_example("Back to the default address", {"tier": "next_day"}),
    _answer_example("Booked", {**_AS_BOOKED, "sender": _MASKED, "return_of": "CA17ZZZZZZZZZZZ2"}, 201),
]
RETURN_POLICY = [
    _request_example(
        "A fortnight, for two reasons",
        {"allowed": True, "window_days": 14, "reasons": ["size", "damaged"], "note": "We pay for it."},
    ),
]
RETURN_DECLINED = [_request_example("Worn", {"answer": "It has been worn."})]

_MANIFEST: dict[str, Any] = {
    "manifest_number": "MF7K2M9Q4X1CH",
    "state": "open",
    **_MERCHANT,
    **_COURIER,
    "origin": "CN-HGH",
    "origin_name": "Hangzhou",
    "pickup_place": {"id": _ADDRESS, "name": "西溪仓库", "address": "文一西路 998 号"},
    "day": "2026-11-23",
    "number_of_day": 1,
    "counts": {
        "listed": 2, "to_pick_up": 2, "picked_up": 0, "cancelled": 0, "missing": 0, "extra": 0, "refused": 0,
    },
    "created_at": "2026-11-23T16:02:11+08:00",
    "picked_up_at": None,
    "cancelled_at": None,
    "merchant_remark": "",
    "courier_remark": "",
}  # fmt: skip
_ACCEPTED = {"index": 0, "tracking_number": NUMBER, "status": "accepted"}
MANIFEST = [
    OpenApiExample(
        "All parcels of a day",
        value={"courier": _COURIER["courier"], "pickup_address": _ADDRESS, "day": "2026-11-23"},
        request_only=True,
    ),
    OpenApiExample("Some parcels", value={"tracking_numbers": [NUMBER]}, request_only=True),
    OpenApiExample(
        "The manifest",
        value={"manifest": _MANIFEST, "has_more": False, "results": [_ACCEPTED]},
        response_only=True,
        status_codes=["201"],
    ),
]
PICK_UP = [
    OpenApiExample(
        "One parcel was not there",
        value={"picked_up_at": "2026-11-23T17:40:00+08:00", "missing_numbers": [NUMBER]},
        request_only=True,
    ),
    OpenApiExample(
        "Picked up",
        value={
            "manifest": {
                **_MANIFEST,
                "state": "handed_over",
                "counts": {**_MANIFEST["counts"], "to_pick_up": 0, "picked_up": 1, "missing": 1},
                "picked_up_at": "2026-11-23T17:40:00+08:00",
            },
            "repeated": False,
            "missing_results": [_ACCEPTED],
            "extra_results": [],
        },
        response_only=True,
    ),
]
REMARK = [
    OpenApiExample("A remark", value={"remark": "Two boxes are wet."}, request_only=True),
]
WEBHOOK = [
    _request_example(
        "Status changes and late deliveries",
        {
            "url": "https://hooks.example.com/alliance",
            "topics": [Topic.PARCEL_STATUS_CHANGED.value, Topic.COMMITMENT_LATE.value],
            "description": "Shop",
        },
    )
]
WEBHOOK_CHANGE = [_request_example("Fewer events", {"topics": [Topic.PARCEL_STATUS_CHANGED.value]})]
WEBHOOK_REPLAY = [
    _request_example(
        "What was missed in a night",
        {"starts_at": "2026-11-22T22:00:00+08:00", "ends_at": "2026-11-23T08:00:00+08:00", "kind": "missing"},
    )
]
