"""API of labels: one parcel's, and a file of up to a thousand."""

import base64
import json
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar, Final

from django.http import HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.utils import timezone
from django.utils.http import content_disposition_header
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.fields import empty
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.request import Request

from alliance.api.authentication import actor_of
from alliance.api.idempotency import idempotent
from alliance.api.parsing import Body, WordField, refuse_unknown_parameters
from alliance.api.schema import BYTES
from alliance.api.views import ApiView
from alliance.choices import Capability
from alliance.errors import AllianceError, FieldError, InvalidInput, NotAcceptable, NotFound
from alliance.identifiers import InvalidTrackingNumber, parse_tracking_number
from alliance.tenancy import Actor, require
from parcels.api import examples
from parcels.api import serializers as schema
from parcels.api.answers import rejection_json
from parcels.choices import LabelFormat, LabelSize
from parcels.labels.files import LabelFile
from parcels.labels.queries import asked_for, size_of
from parcels.labels.rules import CONTENT_TYPES, DEFAULT_DPI, DOTS, MOST_LABELS, LabelStyle, file_name
from parcels.labels.services import Printed, note_prints, print_labels, record_unmasking, require_printing

JSON = dict[str, Any]
_JSON: Final = "application/json"
_ANSWERS: Final = (_JSON, *CONTENT_TYPES.values())
# A recipient's data; and the second time it is another file.
_PRIVATE: Final = "private, no-store"
# More of what is no tracking number is not told back.
_MOST_LETTERS: Final = 64
# A header has room for so many; the answer in JSON has all.
_LISTED: Final = 100
PRINT_KEY: Final = OpenApiParameter(
    "Idempotency-Key",
    location=OpenApiParameter.HEADER,
    description="Any text of up to 255 characters. Sent again within 24 hours, with the same request, it "
    "gets the same labels: none of them says that it is a reprint because an answer was lost.",
)


class LabelQuery(serializers.Serializer[Any]):
    """How a label is made. Without a size, on what the organisation prints."""

    format = WordField(choices=LabelFormat.choices, default=LabelFormat.PDF.value)
    size = WordField(
        choices=LabelSize.choices,
        required=False,
        help_text="Millimetres, width by height; by default the size that your organisation has set.",
    )
    dpi = WordField(choices=[*DOTS], default=DEFAULT_DPI, help_text="Dots an inch of the printer, for ZPL.")
    unmask = serializers.BooleanField(
        default=False, help_text="Recipients in full; needs the permission, and is logged."
    )


class NumberField(serializers.CharField):
    """A tracking number as it was sent: what is none costs its own label only."""

    def run_validation(self, data: Any = empty) -> str:
        return data.strip()[:_MOST_LETTERS] if isinstance(data, str) else ""


class LabelsBody(LabelQuery, Body):
    """The labels of a file, in their order."""

    tracking_numbers = serializers.ListField(
        child=NumberField(),
        help_text=f"1 to {MOST_LABELS:,} tracking numbers; the file has their labels in this order.",
    )


class FileAnswer(serializers.Serializer[Any]):
    name = serializers.CharField()
    content_type = serializers.CharField()
    content_base64 = serializers.CharField(help_text="The file, in Base64.")


class LabelResult(serializers.Serializer[Any]):
    """Of a rejected number: type, detail and errors, as in a problem document."""

    index = serializers.IntegerField(help_text="Its place among the numbers sent, from 0.")
    tracking_number = serializers.CharField(help_text="As it was sent, if it was rejected.")
    status = serializers.ChoiceField(choices=["made", "rejected"])
    page = serializers.IntegerField(required=False, help_text="Its place in the file, from 1.")
    reprint = serializers.BooleanField(required=False, help_text="Whether the label says that it is one.")
    type = serializers.CharField(required=False)
    detail = serializers.CharField(required=False)
    errors = schema.ProblemItem(many=True, required=False)  # type: ignore[assignment]


class LabelsAnswer(serializers.Serializer[Any]):
    made = serializers.IntegerField()
    rejected = serializers.IntegerField()
    results = LabelResult(many=True, help_text="One for each number sent, in order.")
    label_file = FileAnswer()


class FileNegotiation(DefaultContentNegotiation):
    """A file is what `format` says, if `Accept` allows a file at all; refusals are problem documents."""

    types: ClassVar[tuple[str, ...]] = _ANSWERS

    def select_renderer(self, request: Request, renderers: Any, format_suffix: Any = None) -> Any:
        accepted = [part.split(";")[0].strip() for part in request.headers.get("Accept", "*/*").split(",")]
        if not any(_matches(kind, allowed) for kind in accepted for allowed in (*self.types, BYTES)):
            raise NotAcceptable(
                _("The answer is %(types)s: allow it by Accept.") % {"types": ", ".join(self.types)}
            )
        return renderers[0], renderers[0].media_type


def _matches(accepted: str, kind: str) -> bool:
    return accepted in {"*/*", kind, f"{kind.partition('/')[0]}/*"}


class LabelView(ApiView):
    """The label of one parcel."""

    content_negotiation_class = FileNegotiation

    @extend_schema(
        operation_id="parcels_label",
        summary="Print a parcel's label",
        description="A PDF, or ZPL for label printers: barcode (Code 128) of the tracking number, QR code, "
        "courier, tier, promised hour, route with sort code, recipient, sender and reference. The recipient "
        "is masked unless requested in full. Each further label of a parcel says that it is a reprint, also "
        "after an answer that was lost, unless the request has an Idempotency-Key. HEAD prints nothing. 409 "
        "`parcel_cancelled` for a cancelled parcel. Texts are in the language of `Accept-Language`.",
        parameters=[LabelQuery, PRINT_KEY],
        responses={
            (200, "application/pdf"): OpenApiTypes.BINARY,
            (200, "application/zpl"): OpenApiTypes.BINARY,
        },
        tags=["labels"],
    )
    def get(self, request: Request, tracking_number: str) -> HttpResponseBase:
        actor = actor_of(request)
        require_printing(actor)
        refuse_unknown_parameters(request, *LabelQuery().fields)
        query = LabelQuery(data=request.query_params)
        query.is_valid(raise_exception=True)
        style, unmasked = _style(actor, query.validated_data)
        if unmasked:
            require(actor, Capability.UNMASK)
        _known(tracking_number)
        if request.method == "HEAD":
            [asked] = asked_for(actor=actor, numbers=[tracking_number])
            if isinstance(asked, AllianceError):
                raise asked
            return HttpResponse(content_type=style.content_type, headers=_headers(style, [asked.number]))
        run = _Run(actor, [tracking_number], style, unmasked=unmasked)
        # A GET has no body: what it asks for stands in the route, so that a key is for one label.
        route = f"label:{tracking_number}:{style.format}:{style.size}:{style.dpi}:{unmasked}"

        def work() -> tuple[int, JSON]:
            noted = run.note()
            run.raise_refusal()
            return 200, noted

        run.recall(idempotent(request, route, work).data)
        return run.sent()


class LabelsView(ApiView):
    """A file of labels."""

    content_negotiation_class = FileNegotiation

    @extend_schema(
        operation_id="parcels_labels",
        summary="Print many labels in one file",
        description=f"Up to {MOST_LABELS:,}, in the order of `tracking_numbers`. What gets no label "
        "(cancelled, not yours, no tracking number, in the list twice) does not stop the others. Answers "
        "the file; its headers `Labels-Made` and `Labels-Rejected` say how many, and "
        "`Labels-Rejected-Items` which, as `index=code, ...` (the first 100). With "
        "`Accept: application/json`, the answer has a result for each number and the file in Base64. 422 if "
        "no label could be made, with a pointer to each number. Labels printed before say that they are "
        "reprints.",
        parameters=[PRINT_KEY],
        request=LabelsBody,
        responses={
            (200, "application/json"): LabelsAnswer,
            (200, "application/pdf"): OpenApiTypes.BINARY,
            (200, "application/zpl"): OpenApiTypes.BINARY,
        },
        examples=examples.LABELS,
        tags=["labels"],
    )
    def post(self, request: Request) -> HttpResponseBase:
        actor = actor_of(request)
        require_printing(actor)
        body = LabelsBody(data=request.data)
        body.is_valid(raise_exception=True)
        style, unmasked = _style(actor, body.validated_data)
        run = _Run(actor, body.validated_data["tracking_numbers"], style, unmasked=unmasked)

        def work() -> tuple[int, JSON]:
            noted = run.note()
            run.raise_if_nothing()
            return 200, noted

        run.recall(idempotent(request, "parcels_labels", work).data)
        # They may have been cancelled since the first answer.
        run.raise_if_nothing()
        if _wants_json(request):
            return run.told()
        return run.sent()


class _Run:
    """One file: what was noted for it, now or by an earlier call with the same key."""

    def __init__(self, actor: Actor, asked: Sequence[str], style: LabelStyle, *, unmasked: bool) -> None:
        self._actor, self._asked, self._style, self._unmasked = actor, asked, style, unmasked
        self._now = timezone.now()
        self._printed: list[Printed] = []

    def note(self) -> JSON:
        """Note the prints; return what a replay needs to print the same again."""
        self._printed = note_prints(
            actor=self._actor, numbers=self._asked, at=self._now, unmasked=self._unmasked
        )
        return {"first": [each.number for each in self._printed if each.parcel and not each.is_reprint]}

    def recall(self, noted: JSON) -> None:
        """After a replay: the same parcels as they are now, marked as they were then."""
        if self._printed:
            return
        first = set(noted["first"])
        for number, each in zip(self._asked, asked_for(actor=self._actor, numbers=self._asked), strict=True):
            if isinstance(each, AllianceError):
                self._printed.append(Printed(number, refusal=each))
            else:
                self._printed.append(Printed(each.number, each, is_reprint=each.number not in first))
        if self._unmasked:
            # Recipients are read once more, perhaps by another member.
            record_unmasking(self._actor, [each.parcel for each in self._printed if each.parcel])

    @property
    def numbers(self) -> list[str]:
        return [each.number for each in self._printed if each.parcel is not None]

    @property
    def refused(self) -> list[tuple[int, AllianceError]]:
        return [(index, each.refusal) for index, each in enumerate(self._printed) if each.refusal is not None]

    def raise_refusal(self) -> None:
        for _index, refusal in self.refused:
            raise refusal

    def raise_if_nothing(self) -> None:
        if self.numbers:
            return
        errors = [
            FieldError(f"/tracking_numbers/{index}", each.detail, each.reason) for index, each in self.refused
        ]
        raise InvalidInput(_("None of these numbers gets a label."), code="no_labels", errors=errors)

    def sent(self) -> StreamingHttpResponse:
        headers = _headers(self._style, self.numbers, self.refused)
        parts = filter(None, self._file().parts())
        return StreamingHttpResponse(parts, content_type=self._style.content_type, headers=headers)

    def told(self) -> StreamingHttpResponse:
        """The answer in JSON: a result for each number, and the file."""
        pages = iter(range(1, len(self._printed) + 1))
        answer = {
            "made": len(self.numbers),
            "rejected": len(self.refused),
            "results": [_result(index, each, pages) for index, each in enumerate(self._printed)],
        }
        about = {
            "name": file_name(self.numbers, self._style.format),
            "content_type": self._style.content_type,
        }
        file = self._file()

        def parts() -> Iterator[bytes]:
            content = base64.b64encode(b"".join(file.parts())).decode()
            yield json.dumps({**answer, "label_file": {**about, "content_base64": content}}).encode()

        return StreamingHttpResponse(parts(), content_type=_JSON, headers={"Cache-Control": _PRIVATE})

    def _file(self) -> LabelFile:
        labels = print_labels(
            actor=self._actor, printed=self._printed, now=self._now, unmasked=self._unmasked
        )
        return LabelFile(labels, self._style)


def _result(index: int, printed: Printed, pages: Iterator[int]) -> JSON:
    sent = {"index": index, "tracking_number": printed.number}
    if printed.refusal is not None:
        return {**sent, "status": "rejected", **rejection_json(printed.refusal)}
    return {**sent, "status": "made", "page": next(pages), "reprint": printed.is_reprint}


def _style(actor: Actor, values: JSON) -> tuple[LabelStyle, bool]:
    size = LabelSize(values["size"]) if "size" in values else size_of(actor)
    return LabelStyle(LabelFormat(values["format"]), size, int(values["dpi"])), bool(values["unmask"])


def _known(number: str) -> None:
    try:
        parse_tracking_number(number)
    except InvalidTrackingNumber as error:
        raise NotFound(str(error)) from None


def _wants_json(request: Request) -> bool:
    accepted = request.headers.get("Accept", "")
    return _JSON in accepted and "*/*" not in accepted


def _headers(
    style: LabelStyle, numbers: Sequence[str], refused: Sequence[tuple[int, AllianceError]] = ()
) -> dict[str, str]:
    name = file_name(numbers, style.format)
    headers = {
        "Content-Disposition": content_disposition_header(as_attachment=False, filename=name) or "",
        "Cache-Control": _PRIVATE,
        "Labels-Made": str(len(numbers)),
        "Labels-Rejected": str(len(refused)),
    }
    if refused:
        items = [f"{index}={error.reason}" for index, error in refused[:_LISTED]]
        headers["Labels-Rejected-Items"] = ", ".join(items)
    return headers
