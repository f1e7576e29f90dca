"""GET /api/v1/: what is there, and who asks."""

from typing import Any, Final

from django.conf import settings
from django.urls import reverse
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from alliance.api.authentication import actor_of
from alliance.api.parsing import refuse_unknown_parameters
from alliance.api.public_ids import PartyField
from alliance.choices import OrganisationKind
from alliance.clocks import moment_text
from alliance.key_scopes import ROUTES
from alliance.models import ApiKey, Organisation
from alliance.public_ids import IdKind
from alliance.tenancy import Actor, refusal_of_stranger

API: Final = "/api/v1/"
# What asks for no key.
PUBLIC: Final = frozenset({"tracking"})


class ResourceAnswer(serializers.Serializer[Any]):
    name = serializers.CharField(help_text="The first word of its addresses.")
    url = serializers.CharField(help_text="Where its routes begin.")
    scope = serializers.CharField(help_text="The resource in the scopes of keys; empty: open to every key.")


class KeyAnswer(serializers.Serializer[Any]):
    name = serializers.CharField()
    prefix = serializers.CharField(help_text="How the key begins.")
    scopes = serializers.ListField(child=serializers.CharField())
    expires_at = serializers.DateTimeField(allow_null=True, help_text="Null: it works until it is revoked.")


class RootAnswer(serializers.Serializer[Any]):
    name = serializers.CharField()
    api_version = serializers.CharField()
    schema_url = serializers.CharField(help_text="The OpenAPI document.")
    docs_url = serializers.CharField(help_text="The same for people.")
    resources = ResourceAnswer(many=True)
    organisation = PartyField(
        IdKind.COURIER, IdKind.MERCHANT, allow_null=True, help_text="The caller's; null without a key."
    )
    organisation_name = serializers.CharField(allow_null=True)
    organisation_kind = serializers.ChoiceField(choices=OrganisationKind.choices, allow_null=True)
    key = KeyAnswer(allow_null=True, help_text="The caller's; null without a key.")


class RootView(APIView):
    """The way in."""

    permission_classes = (AllowAny,)

    @extend_schema(
        operation_id="root_retrieve",
        summary="What is there",
        description="All resources and their addresses; with a key also whose it is, its scopes and its end. "
        "401 for a key that ended, as everywhere.",
        responses=RootAnswer,
        tags=["reference"],
    )
    def get(self, request: Request) -> Response:
        refuse_unknown_parameters(request)
        actor = actor_of(request)
        if actor.is_anonymous and "Authorization" in request.headers:
            raise refusal_of_stranger(actor)
        base = settings.PUBLIC_URL.rstrip("/")
        return Response(
            {
                "name": settings.SPECTACULAR_SETTINGS["TITLE"],
                "api_version": settings.SPECTACULAR_SETTINGS["VERSION"],
                "schema_url": base + reverse("api:schema"),
                "docs_url": base + reverse("api:docs"),
                "resources": _resources(base, is_public=actor.is_anonymous),
                **_organisation(actor),
                "key": _key(actor),
            }
        )


def _resources(base: str, *, is_public: bool) -> list[dict[str, str]]:
    """Return what can be asked for, by first word; names of single routes have an underscore."""
    words = {word: found for word, found in ROUTES.items() if word and "_" not in word}
    return [
        {"name": word, "url": f"{base}{API}{word}", "scope": found.resource}
        for word, found in sorted(words.items())
        if word in PUBLIC or not is_public
    ]


def _organisation(actor: Actor) -> dict[str, str | None]:
    organisation = Organisation.objects.filter(pk=actor.organisation_id or 0).first()
    return {
        "organisation": None if actor.is_ops else organisation and organisation.public_id,
        "organisation_name": organisation and organisation.name,
        "organisation_kind": organisation and organisation.kind,
    }


def _key(actor: Actor) -> dict[str, Any] | None:
    if actor.api_key_id is None or actor.organisation_id is None:
        return None
    key = ApiKey.objects.filter(pk=actor.api_key_id, organisation_id=actor.organisation_id).first()
    return key and {
        "name": key.name,
        "prefix": key.beginning,
        "scopes": key.scopes if key.resources is None else key.resources,
        "expires_at": key.expires_at and moment_text(key.expires_at, settings.TIME_ZONE),
    }
