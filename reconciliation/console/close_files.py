"""A close's files for those who see closes, auditors among them; each download leaves an audit entry."""

from django.contrib import messages
from django.contrib.admin.models import CHANGE
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_GET

from ledger.controls.console import actor_of
from ledger.controls.roles import Section, sees
from reconciliation import artifact_zip, downloads
from reconciliation.console import audit_entries
from reconciliation.models import CloseRun


@require_GET
def package(request: HttpRequest, reference: str) -> HttpResponseBase:
    """Download all files in one ZIP."""
    close = _close(request, reference)
    try:
        blocks = artifact_zip.stream(close)
    except artifact_zip.FilesMissing as missing:
        messages.error(request, missing.message)
        return redirect("admin:close-page", reference)
    downloads.keep(close, artifact_zip.name_of(close), actor=actor_of(request))
    audit_entries.write(request, close, "close: files downloaded", artifact_zip.name_of(close), flag=CHANGE)
    return StreamingHttpResponse(
        blocks,
        content_type=artifact_zip.CONTENT_TYPE,
        headers={
            "Content-Disposition": f'attachment; filename="{artifact_zip.name_of(close)}"',
            "Cache-Control": "no-store",
        },
    )


@require_GET
def one(request: HttpRequest, reference: str, name: str) -> HttpResponseBase:
    """Download one file."""
    close = _close(request, reference)
    try:
        file = artifact_zip.opened(close, name).get(name)
    except artifact_zip.FilesMissing as missing:
        messages.error(request, missing.message)
        return redirect("admin:close-page", reference)
    if file is None:
        raise Http404
    downloads.keep(close, name, actor=actor_of(request))
    audit_entries.write(request, close, "close: file downloaded", name, flag=CHANGE)
    response = downloads.download(file, filename=f"{close.environment}-{close.business_date.isoformat()}-{name}")
    response["Cache-Control"] = "no-store"
    return response


def _close(request: HttpRequest, reference: str) -> CloseRun:
    if not sees(request.user, Section.CLOSE):
        raise PermissionDenied
    close = CloseRun.objects.filter(reference=reference).first()
    if close is None:
        raise Http404
    return close
