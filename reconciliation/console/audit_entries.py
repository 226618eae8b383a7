"""Audit entries of what people do on the console's own pages: who did what to which record."""

from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db.models import Model
from django.http import HttpRequest


def write(request: HttpRequest, row: Model, what: str, why: str, *, flag: int) -> None:
    LogEntry.objects.create(
        user_id=int(request.user.pk or 0),
        content_type=ContentType.objects.get_for_model(type(row)),
        object_id=str(row)[:100],
        object_repr=what[:200],
        action_flag=flag,
        change_message=why,
    )
