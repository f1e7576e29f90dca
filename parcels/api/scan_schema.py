"""Schema of the scans endpoint. Its bodies are parsed by `parcels.scans.lines`, not by these serializers."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from parcels.choices import Contradiction, ScanCode, ScanReason


class ScanSerializer(serializers.Serializer[Any]):
    tracking_number = serializers.CharField()
    code = serializers.ChoiceField(choices=ScanCode.choices)
    occurred_at = serializers.DateTimeField(
        help_text="RFC 3339 with an offset. A clock may be 5 minutes wrong: "
        "at most 5 minutes ahead, or before the booking."
    )
    event_id = serializers.CharField(
        max_length=64,
        required=False,
        allow_null=True,
        help_text="Your own id of the event. A second scan of the parcel with the same id is a duplicate. "
        "Without ids, scans with the same code, time and facility are duplicates.",
    )
    reason = serializers.ChoiceField(
        choices=ScanReason.choices,
        required=False,
        allow_null=True,
        help_text="Required for attempt_failed and held.",
    )
    facility = serializers.CharField(max_length=64, required=False, allow_null=True)
    consent = serializers.BooleanField(
        required=False,
        allow_null=True,
        help_text="The recipient agreed to delivery to a locker or station. Without it, available_for_pickup "
        "counts as a failed attempt.",
    )
    corrects = extend_schema_field(
        {
            "oneOf": [
                {"type": "string", "maxLength": 64},
                {
                    "type": "object",
                    "properties": {
                        "code": {"type": "string"},
                        "occurred_at": {"type": "string", "format": "date-time"},
                        "facility": {"type": "string"},
                    },
                    "required": ["code", "occurred_at"],
                },
                {"type": "null"},
            ]
        }
    )(serializers.JSONField)(
        required=False,
        help_text="For a correction: the event id of the scan it withdraws, or its code, time and facility.",
    )


class RejectionSerializer(serializers.Serializer[Any]):
    index = serializers.IntegerField(help_text="Index of the scan in the batch, from 0.")
    pointer = serializers.CharField(help_text="JSON pointer (RFC 6901) into the batch.")
    code = serializers.CharField()
    detail = serializers.CharField()


class WarningSerializer(RejectionSerializer):
    """Of an accepted scan."""


class ScanReportSerializer(serializers.Serializer[Any]):
    accepted = serializers.IntegerField(help_text="New scans, stored and processed.")
    duplicate = serializers.IntegerField(help_text="Received before, or twice in this batch.")
    rejected = serializers.IntegerField()
    rejections = RejectionSerializer(many=True)
    warnings = WarningSerializer(
        many=True, help_text="What is remarkable of accepted scans. Of each parcel, its last scan is warned."
    )


# Lines of JSON are described in words only: of two kinds of body, clients made by openapi-python-client can
# send neither.
REQUEST = {"application/json": ScanSerializer(many=True)}
DESCRIPTION = (
    "Send 1 to 5,000 scans of parcels you carry: a JSON array, an object with the array in "
    "`scans`, or (as `application/x-ndjson`) one JSON object per line. `Content-Encoding: gzip` is "
    "accepted. Invalid scans are listed in `rejections` and do not stop the others: `invalid`, "
    "`bad_tracking_number`, "
    "`unknown_parcel`, `unknown_code`, `unknown_reason`, `reason_required`, `in_future`, "
    "`before_booking`, `corrects_missing`, `scan_limit`, `differs_from_first` (what was received before "
    "under this identity is another scan). A batch can safely be sent again: scans received before count as "
    "duplicates.\n\n"
    "`warnings` tell of accepted scans that contradict others of their parcel "
    f"({', '.join(f'`{code}`' for code in Contradiction.values)}), of corrections that name no scan "
    "received so far (`nothing_withdrawn`; they take effect when it arrives) and of scans that an earlier "
    "correction withdraws (`withdrawn_already`)."
)
