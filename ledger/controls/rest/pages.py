"""Keyset pagination: `?limit=1..100&after=cursor`, newest first. Rows that come in meanwhile shift nothing."""

import base64
import binascii
import re
from collections.abc import Mapping
from typing import Any, TypeVar

from django.db.models import Model, QuerySet

from ledger.controls.refusals import Malformed
from ledger.controls.rest import shapes

_REFERENCE = re.compile(r"[a-z]{2,4}_[0-9a-z]{26}", re.ASCII)

Row = TypeVar("Row", bound=Model)
"""A row with a `reference`."""


class MalformedCursor(Malformed):
    """`after` is not a cursor that a page of this list gave."""

    code = "malformed_cursor"


class PageQuery(shapes.Shape):
    limit = shapes.QueryNumber(
        min_value=1, max_value=100, required=False, default=50, help_text="how many rows at most"
    )
    after = shapes.Text(max_length=100, required=False, default="", help_text="`next` of the page before")


def page(*, mine: QuerySet[Row], shown: QuerySet[Row], query: Mapping[str, Any]) -> tuple[list[Row], str | None]:
    """Return a page of `shown` and the cursor of the next, or None.

    `mine` is all that the caller may see, without the filters: a row that a filter no longer shows still marks its
    place. Raises MalformedCursor.
    """
    rows = shown
    if query["after"]:
        edge = mine.filter(reference=_reference(query["after"])).values_list("pk", flat=True).first()
        if edge is None:
            raise MalformedCursor(errors={"after": ["This is not a cursor of this list."]})
        rows = rows.filter(pk__lt=edge)
    found = list(rows.order_by("-pk")[: query["limit"] + 1])
    if len(found) <= query["limit"]:
        return found, None
    return found[:-1], _cursor(str(vars(found[-2])["reference"]))


def _cursor(reference: str) -> str:
    return base64.urlsafe_b64encode(reference.encode()).decode().rstrip("=")


def _reference(cursor: str) -> str:
    try:
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode("ascii")
    except (ValueError, binascii.Error):
        text = ""
    if not _REFERENCE.fullmatch(text) or _cursor(text) != cursor:
        raise MalformedCursor(errors={"after": ["This is not a cursor of this list."]})
    return text
