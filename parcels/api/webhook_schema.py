"""The bodies and answers of the API of webhooks."""

from typing import Any

from django.urls import register_converter
from django.urls.converters import StringConverter
from drf_spectacular.extensions import OpenApiSerializerFieldExtension
from rest_framework import serializers

from alliance.api.parsing import Body, MomentField, WordField
from alliance.api.public_ids import PublicIdField
from alliance.public_ids import IdKind
from parcels.choices import DeliveryState, ReplayKind, ReplayState, WebhookCause, WebhookState
from parcels.webhooks.rules import (
    CODE_PATTERN,
    DESCRIPTION_LENGTH,
    MESSAGE_PATTERN,
    PREFIX_LENGTH,
    URL_LENGTH,
)
from parcels.webhooks.topics import TOPICS

S = serializers.Serializer[Any]


class _CodeConverter(StringConverter):
    regex = CODE_PATTERN.strip("^$")


class _MessageIdConverter(StringConverter):
    regex = MESSAGE_PATTERN.strip("^$")


register_converter(_CodeConverter, "whk")
register_converter(_MessageIdConverter, "msg")


class CodeField(serializers.CharField):
    """The id of a webhook."""


class MessageIdField(serializers.CharField):
    """The id of a message, which is its `webhook-id`."""


class _CodeSchema(OpenApiSerializerFieldExtension):
    target_class = "parcels.api.webhook_schema.CodeField"

    def map_serializer_field(self, auto_schema: Any, direction: Any) -> dict[str, Any]:
        return {"type": "string", "pattern": CODE_PATTERN}


class _MessageIdSchema(OpenApiSerializerFieldExtension):
    target_class = "parcels.api.webhook_schema.MessageIdField"

    def map_serializer_field(self, auto_schema: Any, direction: Any) -> dict[str, Any]:
        return {"type": "string", "pattern": MESSAGE_PATTERN}


_TOPICS_HELP = "Events to be sent: see `GET /webhook-topics`."
_PREFIX_HELP = "Only events of parcels whose reference begins with it; empty: of all."


class WebhookBody(Body):
    """An address, and what is sent to it."""

    url = serializers.CharField(max_length=URL_LENGTH, help_text="https://, on the public Internet.")
    topics = serializers.ListField(child=serializers.CharField(max_length=40), help_text=_TOPICS_HELP)
    description = serializers.CharField(max_length=DESCRIPTION_LENGTH, default="", allow_blank=True)
    reference_prefix = serializers.CharField(
        max_length=PREFIX_LENGTH, default="", allow_blank=True, help_text=_PREFIX_HELP
    )


class WebhookChangeBody(Body):
    """What is to change; the rest stays."""

    url = serializers.CharField(max_length=URL_LENGTH, required=False)
    topics = serializers.ListField(
        child=serializers.CharField(max_length=40), required=False, help_text=_TOPICS_HELP
    )
    description = serializers.CharField(max_length=DESCRIPTION_LENGTH, required=False, allow_blank=True)
    reference_prefix = serializers.CharField(
        max_length=PREFIX_LENGTH, required=False, allow_blank=True, help_text=_PREFIX_HELP
    )


class SecretAnswer(S):
    ending = serializers.CharField(help_text="Its last characters before the =.")
    created_at = serializers.DateTimeField()
    ends_at = serializers.DateTimeField(allow_null=True, help_text="Null for the newest.")


class FiguresAnswer(S):
    """Attempts of the last 24 hours."""

    attempts = serializers.IntegerField()
    delivered = serializers.IntegerField()
    success_rate = serializers.FloatField(allow_null=True)
    p50_milliseconds = serializers.IntegerField(allow_null=True)
    p95_milliseconds = serializers.IntegerField(allow_null=True)


class WebhookAnswer(S):
    id = CodeField()
    url = serializers.CharField()
    description = serializers.CharField()
    topics = serializers.ListField(child=serializers.CharField())
    reference_prefix = serializers.CharField(allow_blank=True)
    state = serializers.ChoiceField(choices=WebhookState.choices)
    cause = serializers.ChoiceField(
        choices=WebhookCause.choices, allow_null=True, help_text="Why it was switched off."
    )
    created_at = serializers.DateTimeField()
    stopped_at = serializers.DateTimeField(allow_null=True)
    first_failed_at = serializers.DateTimeField(
        allow_null=True, help_text="Nothing has arrived since; after five days it is switched off."
    )


class WebhookDetailAnswer(WebhookAnswer):
    secrets = SecretAnswer(many=True, help_text="Those that sign now.")
    last_day = FiguresAnswer()
    oldest_waiting_at = serializers.DateTimeField(
        allow_null=True, help_text="Time of the oldest event that waits."
    )


class NewWebhookAnswer(WebhookDetailAnswer):
    secret = serializers.CharField(help_text="`whsec_…`, shown only now.")


class TopicAnswer(S):
    topic = serializers.ChoiceField(choices=[(name, name) for name in TOPICS])
    about = serializers.CharField()
    example = serializers.DictField(help_text="`data` of a message.")


class TopicsAnswer(S):
    results = TopicAnswer(many=True)


class DeliveriesQuery(S):
    """Which deliveries to list."""

    state = WordField(choices=DeliveryState.choices, required=False)
    topic = WordField(choices=[(name, name) for name in TOPICS], required=False)
    tracking_number = serializers.CharField(required=False)


class DeliveryAnswer(S):
    id = MessageIdField(help_text="The `webhook-id`.")
    topic = serializers.CharField()
    tracking_number = serializers.CharField(allow_null=True)
    at = serializers.DateTimeField(help_text="When it happened.")
    sequence = serializers.IntegerField()
    state = serializers.ChoiceField(choices=DeliveryState.choices)
    attempts = serializers.IntegerField()
    attempted_at = serializers.DateTimeField(allow_null=True)
    next_attempt_at = serializers.DateTimeField(
        allow_null=True, help_text="Null if it is done, or if an earlier event of its parcel waits."
    )


class AttemptAnswer(S):
    number = serializers.IntegerField()
    at = serializers.DateTimeField()
    status = serializers.IntegerField(allow_null=True, help_text="Null without an answer.")
    error = serializers.CharField(
        allow_blank=True, help_text="timeout, name, refused_address, connection, tls or protocol."
    )
    milliseconds = serializers.IntegerField()
    answer = serializers.CharField(allow_blank=True, help_text="Its first 2 kB.")


class DeliveryDetailAnswer(DeliveryAnswer):
    body = serializers.DictField()
    log = AttemptAnswer(many=True, help_text="The last attempts, the oldest first.")


class ReplayBody(Body):
    """Which events to send again."""

    starts_at = MomentField(help_text="Within the last 30 days.")
    ends_at = MomentField(required=False, help_text="Not included; left out: now.")
    kind = WordField(
        choices=ReplayKind.choices,
        default=ReplayKind.MISSING.value,
        help_text="`missing`: what was given up, and what was never queued; `all`: what arrived as well.",
    )


class ReplayAnswer(S):
    """How far a replay is."""

    id = PublicIdField(IdKind.WEBHOOK_REPLAY)
    kind = serializers.ChoiceField(choices=ReplayKind.choices)
    state = serializers.ChoiceField(choices=ReplayState.choices)
    starts_at = serializers.DateTimeField()
    ends_at = serializers.DateTimeField()
    percent = serializers.IntegerField()
    deliveries = serializers.IntegerField(help_text="Handed to delivery so far.")
    requested_at = serializers.DateTimeField()
    problem = serializers.CharField(allow_blank=True)
