"""Pages of an application's documents: upload, view, remove."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import FileResponse, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from alliance.choices import Capability
from alliance.errors import Conflict, InvalidInput, NotFound
from alliance.tenancy import Actor
from alliance.web.requests import ActorRequest
from couriers.applications.rules import REQUIRED_DOCUMENTS
from couriers.changes.queries import waiting_documents
from couriers.choices import ApplicationState, DocumentKind, Step
from couriers.documents import services as documents
from couriers.documents.files import ACCEPT, EXTENSIONS, MAX_BYTES, serve
from couriers.models import Application, ChangeRequest, Document
from couriers.portal.application_forms import DocumentForm
from couriers.portal.application_pages import (
    applicant,
    current_application,
    next_url,
    open_application,
    put_errors,
    step_page,
)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def document_list(request: ActorRequest) -> HttpResponse:
    """List the documents, and upload one."""
    actor = applicant(request)
    try:
        application = _for_documents(actor)
        initial = {"kind": request.GET.get("kind") or _next_kind(application)}
        sending = request.method == "POST"
        form = DocumentForm(
            request.POST if sending else None, request.FILES if sending else None, initial=initial
        )
        if sending and form.is_valid() and _upload(request, actor, application, form):
            return redirect("couriers:document_list")
    except Conflict as error:
        messages.warning(request, error.detail)
        return redirect("couriers:application_view")
    # A draft has nothing to replace: its documents are removed and added.
    requests = (
        ChangeRequest.objects.none() if application.is_editable else ChangeRequest.objects.visible_to(actor)
    )
    context = {
        "form": form,
        "shelves": _shelves(application),
        "waiting": waiting_documents(requests),
        "next_url": next_url(Step.DOCUMENTS),
        "accept": ACCEPT,
        "max_bytes": MAX_BYTES,
    }
    return step_page(request, application, Step.DOCUMENTS, context, status=422 if form.errors else 200)


def _for_documents(actor: Actor) -> Application:
    """Return the application that documents are added to: an open one, or the approved one of a member."""
    application = current_application(actor)
    return application if application.state == ApplicationState.APPROVED else open_application(actor)


def _upload(request: ActorRequest, actor: Actor, application: Application, form: DocumentForm) -> bool:
    try:
        document = documents.add_document(
            actor=actor,
            application_id=application.pk,
            kind=form.cleaned_data["kind"],
            upload=form.cleaned_data["file"],
        )
    except InvalidInput as error:
        put_errors(form, error)
        return False
    messages.success(request, _("%(name)s was uploaded.") % {"name": document.name})
    return True


def _next_kind(application: Application) -> str:
    there = set(application.documents.values_list("kind", flat=True))
    return next((kind.value for kind in DocumentKind if kind not in there), DocumentKind.OTHER.value)


def _shelves(application: Application) -> list[dict[str, object]]:
    documents = list(application.documents.all())
    return [
        {
            "label": kind.label,
            "kind": kind.value,
            "required": kind in REQUIRED_DOCUMENTS,
            "documents": [document for document in documents if document.kind == kind],
        }
        for kind in DocumentKind
    ]


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def document_remove(request: ActorRequest, document_id: int) -> HttpResponse:
    """Ask, then remove one document while the application is open."""
    actor = applicant(request)
    try:
        if request.method != "POST":
            document = open_application(actor).documents.filter(pk=document_id).first()
            if document is None:
                raise NotFound
            return render(request, "couriers/document_remove.html", {"document": document})
        documents.remove_document(actor=actor, document_id=document_id)
    except Conflict as error:
        messages.warning(request, error.detail)
        return redirect("couriers:application_view")
    messages.success(request, _("The document was removed."))
    return redirect("couriers:document_list")


@require_safe
@login_required
def document_view(request: ActorRequest, document_id: int) -> HttpResponse | FileResponse:
    """Send a document to its owner or to ops, for viewing in the browser."""
    actor = request.actor
    document = Document.objects.visible_to(actor).filter(pk=document_id).first()
    # Customer service sees all tenants' rows, but must not see applications.
    if document is None or not actor.can(Capability.APPLY):
        raise NotFound
    try:
        stream = document.file.open("rb")
    except FileNotFoundError as error:
        raise NotFound(_("The file of this document is missing. Upload it again.")) from error
    return serve(
        stream,
        name=document.name,
        extension=EXTENSIONS[document.content_type],
        download="download" in request.GET,
    )
