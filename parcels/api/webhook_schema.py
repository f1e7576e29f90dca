"""The bodies and answers of the API of webhooks."""

from typing import Any

from rest_framework import serializers

from alliance.api.parsing import Body, MomentField, WordField
from parcels.choices import DeliveryState, ReplayKind, ReplayState, WebhookCause, WebhookState
from parcels.webhooks.rules import DESCRIPTION_LENGTH, URL_LENGTH
from parcels.webhooks.topics import TOPICS

S = serializers.Serializer[Any]
_TOPICS_HELP = "Events to be sent: see `GET /webhook-topics`."


class WebhookBody(Body):
    """An address, and what is sent to it."""

    url = serializers.CharField(max_length=URL_LENGTH, help_text="https://, on the public Internet.")
    topics = serializers.ListField(child=serializers.CharField(max_length=40), help_text=_TOPICS_HELP)
    description = serializers.CharField(max_length=DESCRIPTION_LENGTH, default="", allow_blank=True)


class WebhookChangeBody(Body):
    """What is to change; the rest stays."""

    url = serializers.CharField(max_length=URL_LENGTH, required=False)
    topics = serializers.ListField(
        child=serializers.CharField(max_length=40), required=False, help_text=_TOPICS_HELP
    )
    description = serializers.CharField(max_length=DESCRIPTION_LENGTH, required=False, allow_blank=True)


class SecretAnswer(S):
    ending = serializers.CharField(help_text="Its last characters before the =.")
    created_at = serializers.DateTimeField()
    ends_at = serializers.DateTimeField(allow_null=True, help_text="Null for the newest.")


class FiguresAnswer(S):
    """Attempts of the last 24 hours."""

    attempts = serializers.IntegerField()
    delivered = serializers.IntegerField()
    success_rate = serializers.FloatField(allow_null=True)
    p50_ms = serializers.IntegerField(allow_null=True)
    p95_ms = serializers.IntegerField(allow_null=True)


class WebhookAnswer(S):
    id = serializers.CharField()
    url = serializers.CharField()
    description = serializers.CharField()
    topics = serializers.ListField(child=serializers.CharField())
    state = serializers.ChoiceField(choices=WebhookState.choices)
    cause = serializers.ChoiceField(
        choices=WebhookCause.choices, allow_null=True, help_text="Why it was switched off."
    )
    created_at = serializers.DateTimeField()
    stopped_at = serializers.DateTimeField(allow_null=True)
    failing_since = serializers.DateTimeField(
        allow_null=True, help_text="Nothing has arrived since; after five days it is switched off."
    )


class WebhookDetailAnswer(WebhookAnswer):
    secrets = SecretAnswer(many=True, help_text="Those that sign now.")
    last_24_hours = FiguresAnswer()
    oldest_waiting_at = serializers.DateTimeField(
        allow_null=True, help_text="Time of the oldest event that waits."
    )


class NewWebhookAnswer(WebhookDetailAnswer):
    secret = serializers.CharField(help_text="`whsec_…`, shown only now.")


class TopicAnswer(S):
    topic = serializers.ChoiceField(choices=[(name, name) for name in TOPICS])
    about = serializers.CharField()
    example = serializers.JSONField(help_text="`data` of a message.")


class TopicsAnswer(S):
    topics = TopicAnswer(many=True)


class DeliveriesQuery(S):
    """Which deliveries to list."""

    state = WordField(choices=DeliveryState.choices, required=False)
    topic = WordField(choices=[(name, name) for name in TOPICS], required=False)
    tracking_number = serializers.CharField(required=False)


class DeliveryAnswer(S):
    id = serializers.CharField(help_text="The `webhook-id`.")
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
    ms = serializers.IntegerField()
    answer = serializers.CharField(allow_blank=True, help_text="Its first 2 kB.")


class DeliveryDetailAnswer(DeliveryAnswer):
    body = serializers.JSONField()
    log = AttemptAnswer(many=True, help_text="The last attempts, the oldest first.")


REPLAY_FIELDS = {
    "from": MomentField(help_text="Within the last 30 days."),
    "until": MomentField(required=False, help_text="Not included; left out: now."),
    "kind": WordField(
        choices=ReplayKind.choices,
        default=ReplayKind.MISSING.value,
        help_text="`missing`: what was given up, and what was never queued; `all`: what arrived as well.",
    ),
}
# `from` is a word of Python.
ReplayBody = type("ReplayBody", (Body,), {"__doc__": "Which events to send again.", **REPLAY_FIELDS})


class ReplayBase(S):
    id = serializers.IntegerField()
    kind = serializers.ChoiceField(choices=ReplayKind.choices)
    state = serializers.ChoiceField(choices=ReplayState.choices)
    percent = serializers.IntegerField()
    deliveries = serializers.IntegerField(help_text="Handed to delivery so far.")
    requested_at = serializers.DateTimeField()
    problem = serializers.CharField(allow_blank=True)


ReplayAnswer = type(
    "ReplayAnswer",
    (ReplayBase,),
    {
        "__doc__": "How far a replay is.",
        "from": serializers.DateTimeField(),
        "until": serializers.DateTimeField(),
    },
)
