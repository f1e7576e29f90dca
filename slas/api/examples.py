"""Examples of the API's requests; a test validates each against its schema."""

from typing import Any

from drf_spectacular.utils import OpenApiExample

from alliance.public_ids import IdKind, public_id

_TERMS = {"price": "18.00", "daily_capacity": 80}


def _request_example(name: str, value: Any) -> OpenApiExample:
    return OpenApiExample(name, value=value, request_only=True)


OFFER = [
    _request_example(
        "Put on sale", {"tier": "next_day", "origin": "CN-HGH", "destination": "CN-CTU", **_TERMS}
    ),
]
OFFER_TERMS = [
    _request_example("Another price", {"price": "18.50"}),
    _request_example("Off sale", {"on_sale": False}),
]
EXPORT = [
    _request_example(
        "A month of commitments",
        {"content": "commitments", "format": "csv", "from": "2026-11-01", "to": "2026-11-30"},
    ),
]
CLAIM = [
    _request_example(
        "Address without a house number",
        {
            "tracking_number": "CA180HFPF3JNCPRS",
            "kind": "delivery",
            "reason": "merchant_bad_data",
            "note": "The house number was missing; the shop gave it on the next day.",
        },
    ),
]
RULES = [
    _request_example(
        "Two rules",
        {
            "rules": [
                {
                    "name": "Heavy to Hunan",
                    "destination": "Hunan province",
                    "least_g": 20_000,
                    "action": "cheapest",
                    "least_accountable_rate": 0.9,
                },
                {
                    "name": "Two carriers",
                    "action": "split",
                    "couriers": [
                        {"courier": public_id(IdKind.COURIER, 21), "percent": 60},
                        {"courier": public_id(IdKind.COURIER, 22), "percent": 40},
                    ],
                },
            ]
        },
    ),
]
