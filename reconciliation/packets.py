"""Support packets: a trace as a ZIP of JSON and a printable page, in the partner's view (nothing of the inside).

Made again for an unchanged one it is the same bytes, but for the instant at which it was made.
"""

import io
import json
import zipfile
from datetime import datetime
from typing import Final

from django.template.loader import render_to_string

from ledger.controls.rest.answers import instant
from orders.models import Intent, Order
from reconciliation.intent_trace import trace_of_intent
from reconciliation.trace import Record, trace_of

CONTENT_TYPE: Final = "application/zip"


def packet_of(order: Order, *, now: datetime) -> bytes:
    """Return the ZIP: `{order}.json` and `{order}.html`."""
    traced = trace_of(order, inside=False)
    page = render_to_string("console/packet.html", {"order": order, "traced": traced, "made_at": instant(now)})
    return _zipped(order.reference, traced, page, now=now)


def packet_of_intent(intent: Intent, *, now: datetime) -> bytes:
    """Return the ZIP: `{intent}.json` and `{intent}.html`."""
    traced = trace_of_intent(intent, inside=False)
    shown = {"intent": intent, "traced": traced, "made_at": instant(now)}
    return _zipped(intent.reference, traced, render_to_string("console/intent_packet.html", shown), now=now)


def name_of(subject: Order | Intent) -> str:
    """Return the packet's file name."""
    return f"support-packet-{subject.reference}.zip"


def _zipped(reference: str, traced: Record, page: str, *, now: datetime) -> bytes:
    kept = io.BytesIO()
    with zipfile.ZipFile(kept, "w", zipfile.ZIP_DEFLATED) as packet:
        for name, content in ((f"{reference}.json", json.dumps(traced, indent=2) + "\n"), (f"{reference}.html", page)):
            entry = zipfile.ZipInfo(name, date_time=(now.year, now.month, now.day, now.hour, now.minute, now.second))
            entry.compress_type = zipfile.ZIP_DEFLATED
            packet.writestr(entry, content)
    return kept.getvalue()
