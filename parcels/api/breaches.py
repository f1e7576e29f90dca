"""API of one breach: the same data as its page."""

from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from alliance.api.authentication import actor_of
from alliance.api.fields import MoneyField, MonthField
from alliance.api.parsing import refuse_unknown_parameters
from alliance.api.public_ids import PartyField, PublicIdField
from alliance.choices import Capability
from alliance.errors import FieldError, InvalidInput, NotFound
from alliance.identifiers import InvalidTrackingNumber, parse_tracking_number, tracking_number
from alliance.public_ids import IdKind
from alliance.tenancy import require
from parcels.api.answers import place_json
from parcels.choices import ScanCode
from parcels.models import Parcel, Scan
from parcels.scans.timelines import SHOWN, TrackedScan, page_of_scans, remarks_of, shown_scans
from slas.choices import (
    CommitmentKind,
    CreditCause,
    ExcuseReason,
    ExcuseSource,
    ExcuseState,
    Ground,
    Leg,
    Outcome,
    Party,
    RevisionParty,
    TierCode,
)
from slas.credits.months import spell
from slas.excuses.breach_report import BreachReport, breach_report
from slas.models import Excuse
from slas.promises.prices import CURRENCY, yuan

S = serializers.Serializer[Any]


class BreachRevision(S):
    requested_by = serializers.ChoiceField(choices=RevisionParty.choices)
    previous_promise = serializers.DateTimeField(source="previous_due_at")
    new_promise = serializers.DateTimeField(source="due_at")
    judged = serializers.BooleanField(help_text="Whether on-time is judged by the new date.")
    reason = serializers.CharField()
    created_at = serializers.DateTimeField()


class BreachPromise(S):
    """What was promised, and by which rules."""

    tier = serializers.ChoiceField(choices=TierCode.choices)
    tier_version = serializers.IntegerField(allow_null=True, help_text="Version of the tier's rules.")
    original = serializers.DateTimeField(help_text="As promised at booking. It never changes.")
    current = serializers.DateTimeField(help_text="As agreed now.")
    judged_by = serializers.DateTimeField(help_text="The time that on-time is judged by.")
    revisions = BreachRevision(many=True)


class BreachScan(S):
    code = serializers.ChoiceField(choices=ScanCode.choices)
    occurred_at = serializers.DateTimeField()
    received_at = serializers.DateTimeField()
    reason = serializers.CharField()
    facility = serializers.CharField()
    withdrawn = serializers.BooleanField(help_text="Withdrawn by a correction.")


class BreachLeg(S):
    leg = serializers.ChoiceField(choices=Leg.choices)
    duration_seconds = serializers.IntegerField()
    open = serializers.BooleanField(help_text="The leg is not finished.")


class BreachAttribution(S):
    """Who the breach is attributed to. Says nothing about the rates: only a granted excuse changes those."""

    party = serializers.ChoiceField(choices=Party.choices)
    ground = serializers.ChoiceField(choices=Ground.choices)
    why = serializers.CharField(help_text="In the language of the request.")
    legs = BreachLeg(many=True)
    leg = serializers.ChoiceField(
        choices=Leg.choices, allow_null=True, help_text="The leg the delay is attributed to."
    )


class BreachExcuse(S):
    id = PublicIdField(IdKind.EXCUSE)
    state = serializers.ChoiceField(choices=ExcuseState.choices)
    reason = serializers.ChoiceField(choices=ExcuseReason.choices)
    note = serializers.CharField()
    claimed_by = serializers.ChoiceField(choices=ExcuseSource.choices, source="source")
    event = serializers.SerializerMethodField(
        help_text="The disruption or closure it was proposed for, or null."
    )
    evidence = serializers.CharField(source="evidence_name")
    claimed_at = serializers.DateTimeField()
    decided_at = serializers.DateTimeField(allow_null=True)
    decision_note = serializers.CharField()

    def get_event(self, excuse: Excuse) -> str | None:
        event = excuse.disruption or excuse.closure
        return str(event.name) if event else None


class BreachCredit(S):
    amount = serializers.SerializerMethodField(help_text="Negative for a reversal.")
    currency = serializers.SerializerMethodField()
    cause = serializers.ChoiceField(choices=CreditCause.choices)
    written_at = serializers.DateTimeField(source="at")
    month = serializers.SerializerMethodField(help_text="Of its statement.")

    @extend_schema_field(MoneyField)
    def get_amount(self, entry: Any) -> str:
        return yuan(entry.amount_fen)

    def get_currency(self, _entry: Any) -> str:
        return CURRENCY

    @extend_schema_field(MonthField)
    def get_month(self, entry: Any) -> str:
        return spell(entry.month)


class BreachDetail(S):
    """All there is to say about one breach."""

    tracking_number = serializers.CharField()
    kind = serializers.ChoiceField(choices=CommitmentKind.choices)
    courier = PartyField(IdKind.COURIER)
    courier_name = serializers.CharField()
    merchant = PartyField(IdKind.MERCHANT)
    merchant_name = serializers.CharField()
    origin = serializers.CharField(help_text="City code.")
    origin_name = serializers.CharField(help_text="In the language of the request.")
    destination = serializers.CharField(help_text="City code.")
    destination_name = serializers.CharField(help_text="In the language of the request.")
    promise = BreachPromise()
    outcome = serializers.ChoiceField(choices=Outcome.choices)
    reached_at = serializers.DateTimeField(allow_null=True)
    late_by_seconds = serializers.IntegerField(
        allow_null=True, help_text="Null if it turned out not to be late."
    )
    opened_at = serializers.DateTimeField()
    withdrawn_at = serializers.DateTimeField(allow_null=True)
    is_excused = serializers.BooleanField()
    attribution = BreachAttribution()
    excuses = BreachExcuse(many=True, help_text="Newest first.")
    claim_by = serializers.DateTimeField(help_text="The courier can request an exemption until then.")
    credit_entries = BreachCredit(many=True, help_text="Empty without the permission to see fees.")
    scans = BreachScan(many=True, help_text=f"Latest first, at most {SHOWN}.")
    scans_next = serializers.CharField(
        allow_null=True, help_text="Cursor of earlier scans, for `scans_after`; null if there are none."
    )


class BreachDetailView(APIView):
    """One breach."""

    @extend_schema(
        operation_id="breaches_retrieve",
        summary="Read a breach",
        description="Promise, events, delay, attribution with its reason, exemptions and credits of one "
        "of your own parcels.",
        parameters=[
            OpenApiParameter(
                "kind",
                location=OpenApiParameter.PATH,
                enum=CommitmentKind.values,
                description="The milestone.",
            ),
            OpenApiParameter("scans_after", str, description="From `scans_next`."),
        ],
        responses=BreachDetail,
        tags=["rates"],
    )
    def get(self, request: Request, tracking_number: str, kind: str) -> Response:
        actor = actor_of(request)
        require(actor, Capability.VIEW_RATES)
        refuse_unknown_parameters(request, "scans_after")
        try:
            parcel_id = parse_tracking_number(tracking_number)
        except InvalidTrackingNumber as error:
            raise NotFound(str(error)) from None
        parcel = Parcel.objects.visible_to(actor).filter(pk=parcel_id).first()
        if parcel is None or kind not in CommitmentKind.values:
            raise NotFound
        scans = list(Scan.objects.visible_to(actor).filter(parcel_id=parcel_id))
        page = page_of_scans(shown_scans(scans), request.query_params.get("scans_after", ""))
        if page is None:
            message = _("Invalid cursor: use the one in `scans_next`.")
            raise InvalidInput(errors=[FieldError("/scans_after", message, "invalid")])
        report = breach_report(
            actor=actor,
            parcel_id=parcel_id,
            kind=kind,
            journey=parcel,
            remarks=remarks_of(scans),
            now=timezone.now(),
        )
        return Response(breach_json(report, *page))


def breach_json(report: BreachReport, scans: list[TrackedScan], scans_next: str) -> dict[str, Any]:
    commitment, breach = report.commitment, report.breach
    return {
        "tracking_number": tracking_number(commitment.parcel_id),
        "kind": commitment.kind,
        "courier": commitment.courier.organisation.public_id,
        "courier_name": commitment.courier.organisation.name,
        "merchant": commitment.merchant.public_id,
        "merchant_name": commitment.merchant.name,
        **place_json("origin", commitment.origin),
        **place_json("destination", commitment.destination),
        "promise": {
            "tier": commitment.tier.code,
            "tier_version": commitment.version and commitment.version.number,
            "original": _time_json(report.promised_at),
            "current": _time_json(commitment.revised_due_at or commitment.due_at),
            "judged_by": _time_json(commitment.due_at),
            "revisions": BreachRevision(report.revisions, many=True).data,
        },
        "outcome": commitment.outcome,
        "reached_at": _time_json(commitment.reached_at),
        "late_by_seconds": int(report.late_by.total_seconds()) if report.late_by else None,
        "opened_at": _time_json(breach.opened_at),
        "withdrawn_at": _time_json(breach.withdrawn_at),
        "is_excused": commitment.excused,
        "attribution": _attribution_json(report),
        "excuses": BreachExcuse(report.excuses, many=True).data,
        "claim_by": _time_json(report.claim_until),
        "credit_entries": BreachCredit(report.credits, many=True).data,
        "scans": [_scan_json(tracked_scan) for tracked_scan in scans],
        "scans_next": scans_next or None,
    }


def _attribution_json(report: BreachReport) -> dict[str, Any]:
    attribution = report.attribution
    return {
        "party": attribution.party,
        "ground": attribution.ground,
        "why": attribution.why,
        "legs": [
            {"leg": leg.leg, "duration_seconds": int(leg.time.total_seconds()), "open": leg.open}
            for leg in attribution.legs
        ],
        "leg": attribution.leg,
    }


def _scan_json(tracked_scan: TrackedScan) -> dict[str, Any]:
    scan = tracked_scan.scan
    return {
        "code": scan.code,
        "occurred_at": _time_json(scan.occurred_at),
        "received_at": _time_json(scan.received_at),
        "reason": scan.reason,
        "facility": scan.facility,
        "withdrawn": tracked_scan.withdrawn_at is not None,
    }


def _time_json(moment: Any) -> Any:
    # The format of DRF's serializers.
    return serializers.DateTimeField().to_representation(moment) if moment else None
